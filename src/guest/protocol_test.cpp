#include "guest/protocol.hpp"

#include <gtest/gtest.h>

namespace shamon::guest {
namespace {

Evidence sample_evidence() {
  Evidence e;
  e.attest = {1, 2, 3};
  e.signature = {4};
  e.ima_log = Bytes(70'000, 7);
  e.ima_offset = 12;
  e.reset_count = 3;
  return e;
}

TEST(GuestProtocol, RoundTripsEveryFrameThroughAStreamCutAnywhere) {
  Challenge challenge;
  challenge.nonce = Bytes(32, 9);
  challenge.pcrs.mask = 1u << 10;
  challenge.ima_offset = 1u << 20;
  std::vector<Frame> const frames = {
      ChallengeFrame{1, challenge}, EvidenceFrame{2, sample_evidence()}, FailureFrame{3, "no TPM"},
      QueryFrame{4, Question::may_talk, "vm-b"}, AnswerFrame{5, true, "green"}};
  Bytes stream;
  for (auto const& frame : frames) append(stream, encode_frame(frame));
  FrameReader reader;
  std::vector<Frame> seen;
  for (std::size_t i = 0; i < stream.size(); i += 1000) {
    reader.feed(ByteView(stream).subspan(i, std::min<std::size_t>(1000, stream.size() - i)));
    for (;;) {
      auto next = reader.next();
      ASSERT_TRUE(next.has_value());
      if (!*next) break;
      seen.push_back(**next);
    }
  }
  ASSERT_EQ(seen.size(), frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i)
    EXPECT_EQ(encode_frame(seen[i]), encode_frame(frames[i]));
}

TEST(GuestProtocol, RefusesWhatIsOutsideItsBounds) {
  Bytes good = encode_frame(QueryFrame{1, Question::label, ""});
  good.erase(good.begin(), good.begin() + 4);
  ASSERT_TRUE(decode_frame(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_frame(ByteView(good).first(size)).has_value()) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(decode_frame(longer).has_value());
  Bytes unknown_question = good;
  unknown_question[9] = 4;
  EXPECT_FALSE(decode_frame(unknown_question).has_value());
  EXPECT_FALSE(decode_frame(Bytes{99}).has_value());
  FrameReader reader;
  reader.feed(Bytes{0x00, 0x80, 0x00, 0x01});  // one byte over the bound
  EXPECT_EQ(reader.next().error().code, Errc::too_large);
}

TEST(GuestProtocol, KeepsTheBankThatWasAskedForAndRefusesOneItDoesNotKnow) {
  Challenge challenge;
  challenge.pcrs = {HashAlgorithm::sha384, 0xffffff};
  Bytes body = encode_frame(ChallengeFrame{1, challenge});
  body.erase(body.begin(), body.begin() + 4);
  auto const read = decode_frame(body);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(std::get<ChallengeFrame>(*read).challenge.pcrs, challenge.pcrs);
  Bytes other_bank = body;
  other_bank[14] = 0x12;  // SM3: behind type, sequence, empty nonce and the bank's high byte
  EXPECT_FALSE(decode_frame(other_bank).has_value());
  Bytes other_pcrs = body;
  other_pcrs[15] = 1;  // PCR 24
  EXPECT_FALSE(decode_frame(other_pcrs).has_value());
}

TEST(GuestProtocol, ReaderGivesUpOnASenderThatIsNeverRead) {
  FrameReader reader;
  Bytes const piece(kFrameBytesMax, 0);
  for (int i = 0; i < 4; ++i) reader.feed(piece);
  // Zero length frames are malformed, but not yet an overrun.
  EXPECT_EQ(reader.next().error().code, Errc::truncated);
  reader.feed(Bytes(1));
  EXPECT_EQ(reader.next().error().code, Errc::too_large);
}

}  // namespace
}  // namespace shamon::guest
