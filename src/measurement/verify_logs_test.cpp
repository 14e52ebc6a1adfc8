#include "measurement/verify_logs.hpp"

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"
#include "measurement/limits.hpp"
#include "measurement/testdata.hpp"

namespace shamon {
namespace {

using testdata::captured;
using testdata::captured_nonce;

VerifiedQuote captured_quote(std::string const& set, std::string const& quote) {
  auto const ak = parse_tpm_public(captured(set + "/ak-ecc.tpub"));
  std::string const folder = set + "/" + quote;
  auto verified = verify_quote(ak->key, captured(folder + "/quote-ecc.msg"),
                               captured(folder + "/quote-ecc.sig"), captured_nonce(folder));
  EXPECT_TRUE(verified) << verified.error().describe();
  return *verified;
}

EventLog boot_log(std::string const& folder) {
  return *parse_event_log(captured(folder + "/binary_bios_measurements"));
}
ImaLog ima_log(std::string const& folder) {
  return *parse_ima(captured(folder + "/binary_runtime_measurements"));
}

/// A quote over made-up PCR values, signed by a fresh key.
VerifiedQuote quote_over(std::vector<PcrSelection> const& selections,
                         std::vector<Digest> const& values) {
  ByteWriter q;
  q.u32be(0xff544347).u16be(0x8018).u16be(0).u16be(2).u8(1).u8(2).u64be(5).u32be(1).u32be(0).u8(1);
  q.u64be(0).u32be(static_cast<std::uint32_t>(selections.size()));
  for (PcrSelection const& s : selections) {
    q.u16be(static_cast<std::uint16_t>(s.bank)).u8(3);
    for (unsigned i = 0; i < 3; ++i) q.u8(static_cast<std::uint8_t>(s.mask >> (8 * i)));
  }
  q.u16be(32).bytes(digest_of_pcrs(HashAlgorithm::sha256, values).bytes());
  auto const key = PrivateKey::generate(KeyType::ecdsa_p256);
  auto const raw = key->sign_ecdsa_raw(HashAlgorithm::sha256, q.view());
  ByteWriter s;
  s.u16be(0x18).u16be(0xb).u16be(32).bytes(ByteView(*raw).first(32));
  s.u16be(32).bytes(ByteView(*raw).last(32));
  auto verified = verify_quote(key->public_key(), q.view(), s.view(), Bytes{1, 2});
  EXPECT_TRUE(verified) << verified.error().describe();
  return *verified;
}

TEST(VerifyLogs, AnImaLogReadAfterTheQuoteMatchesByItsPrefix) {
  VerifiedQuote const quote = captured_quote("untrusted", "quote1");
  EventLog const boot = boot_log("untrusted/quote1");
  ImaLog const longer = ima_log("untrusted/quote2");
  ASSERT_EQ(longer.entries.size(), 42u);
  auto const matched = match_logs_to_quote(quote, &boot, &longer);
  ASSERT_TRUE(matched) << matched.error().error.describe();
  EXPECT_EQ(matched->ima_entries, 41u);
  EXPECT_EQ(matched->ima_offset, longer.entries[41].offset);
}

TEST(VerifyLogs, AnImaLogThatLacksTheLastEntryDoesNotMatch) {
  VerifiedQuote const quote = captured_quote("untrusted", "quote2");
  EventLog const boot = boot_log("untrusted/quote2");
  ImaLog const shorter = ima_log("untrusted/quote1");
  auto const matched = match_logs_to_quote(quote, &boot, &shorter);
  ASSERT_FALSE(matched);
  EXPECT_EQ(matched.error().kind, LogMismatchKind::pcr_digest);
}

TEST(VerifyLogs, ASuffixMatchesFromWhatWasRemembered) {
  EventLog const boot = boot_log("untrusted/quote2");
  ImaLog const first = ima_log("untrusted/quote1");
  auto const before = match_logs_to_quote(captured_quote("untrusted", "quote1"), &boot, &first);
  ASSERT_TRUE(before);
  Bytes const bytes = captured("untrusted/quote2/binary_runtime_measurements");
  auto const rest =
      parse_ima_binary(ByteView(bytes).subspan(before->ima_offset), before->ima_offset);
  ASSERT_TRUE(rest);
  VerifiedQuote const quote = captured_quote("untrusted", "quote2");
  auto const after = match_logs_to_quote(quote, &boot, &*rest, ImaStart{*before->ima_pcr});
  ASSERT_TRUE(after) << after.error().error.describe();
  EXPECT_EQ(after->ima_entries, 1u);
  EXPECT_EQ(after->ima_offset, bytes.size());
  EXPECT_FALSE(match_logs_to_quote(quote, &boot, &*rest));
}

TEST(VerifyLogs, AnAlteredEventOrEntryIsFound) {
  VerifiedQuote const quote = captured_quote("clean", "quote1");
  EventLog boot = boot_log("clean/quote1");
  ImaLog ima = ima_log("clean/quote1");
  ASSERT_TRUE(match_logs_to_quote(quote, &boot, &ima));

  EventLog fewer = boot;
  fewer.events.pop_back();
  EXPECT_EQ(match_logs_to_quote(quote, &fewer, &ima).error().kind, LogMismatchKind::pcr_digest);
  EventLog none = boot;
  none.events[1].digests.clear();
  EXPECT_EQ(match_logs_to_quote(quote, &none, &ima).error().kind, LogMismatchKind::event_log);

  ima.entries[5].template_digest = Digest::ones(HashAlgorithm::sha1);
  auto const altered = match_logs_to_quote(quote, &boot, &ima);
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().kind, LogMismatchKind::ima_log);
  EXPECT_EQ(altered.error().error.offset, ima.entries[5].offset);
}

TEST(VerifyLogs, WithoutALogItsPcrsStandAtTheirStart) {
  VerifiedQuote const quote = captured_quote("clean", "quote1");
  EventLog const boot = boot_log("clean/quote1");
  ImaLog const ima = ima_log("clean/quote1");
  for (auto const& [b, i] : {std::pair<EventLog const*, ImaLog const*>{&boot, nullptr},
                             {nullptr, &ima},
                             {nullptr, nullptr}}) {
    auto const matched = match_logs_to_quote(quote, b, i);
    ASSERT_FALSE(matched);
    EXPECT_EQ(matched.error().kind, LogMismatchKind::pcr_digest);
  }
  Digest const zero = Digest::zero(HashAlgorithm::sha256);
  VerifiedQuote const idle =
      quote_over({{HashAlgorithm::sha256, 0x20001}}, {zero, Digest::ones(HashAlgorithm::sha256)});
  EXPECT_TRUE(match_logs_to_quote(idle, nullptr, nullptr));
}

TEST(VerifyLogs, ALogWhosePcrsAreNotQuotedIsNotVouchedFor) {
  Digest const zero = Digest::zero(HashAlgorithm::sha256);
  VerifiedQuote const narrow = quote_over({{HashAlgorithm::sha256, 0x10000}}, {zero});
  EventLog const boot = boot_log("clean/quote1");
  ImaLog const ima = ima_log("clean/quote1");
  EXPECT_EQ(match_logs_to_quote(narrow, &boot, nullptr).error().kind, LogMismatchKind::selection);
  EXPECT_EQ(match_logs_to_quote(narrow, nullptr, &ima).error().kind, LogMismatchKind::selection);
  VerifiedQuote const nothing = quote_over({}, {});
  EXPECT_EQ(match_logs_to_quote(nothing, nullptr, nullptr).error().kind,
            LogMismatchKind::selection);
}

TEST(VerifyLogs, QuotesOverTwoBanksMatchInSelectionOrder) {
  using enum HashAlgorithm;
  Bytes const data = to_bytes("x");
  Bytes bytes = encode_event_log_header({sha1, sha256});
  append(bytes, encode_event(
                    BootEvent{0, PcrIndex{4}, 0xd, {hash(sha1, data), hash(sha256, data)}, data}));
  EventLog const log = *parse_event_log(bytes);
  Digest const four = replay(log, sha256)->value(PcrIndex{4});
  Digest const four_sha1 = replay(log, sha1)->value(PcrIndex{4});
  std::vector<PcrSelection> const selections{{sha256, 0x10}, {sha1, 0x11}};
  VerifiedQuote const good = quote_over(selections, {four, Digest::zero(sha1), four_sha1});
  EXPECT_TRUE(match_logs_to_quote(good, &log, nullptr));
  VerifiedQuote const swapped = quote_over(selections, {Digest::zero(sha1), four_sha1, four});
  EXPECT_FALSE(match_logs_to_quote(swapped, &log, nullptr));
  VerifiedQuote const other_bank = quote_over({{sha384, 0x10}}, {Digest::zero(sha384)});
  EXPECT_EQ(match_logs_to_quote(other_bank, &log, nullptr).error().kind,
            LogMismatchKind::event_log);
}

TEST(VerifyLogs, ALogMayOutrunItsQuoteOnlySoFar) {
  // One entry again and again; the quote was made before the first.
  ByteWriter data;
  data.u32le(40)
      .bytes(as_bytes("sha256:"))
      .u8(0)
      .bytes(Bytes(32, 1))
      .u32le(3)
      .bytes(as_bytes("/x"))
      .u8(0);
  ByteWriter log;
  Digest const digest = hash(HashAlgorithm::sha1, data.view());
  for (std::size_t i = 0; i < kImaEntriesAfterQuoteMax; ++i) {
    log.u32le(10).bytes(digest.bytes()).u32le(6).bytes(as_bytes("ima-ng"));
    log.u32le(static_cast<std::uint32_t>(data.view().size())).bytes(data.view());
  }
  VerifiedQuote const quote =
      quote_over({{HashAlgorithm::sha256, 1u << 10}}, {Digest::zero(HashAlgorithm::sha256)});
  ImaLog longest = *parse_ima_binary(log.view());
  auto const matched = match_logs_to_quote(quote, nullptr, &longest);
  ASSERT_TRUE(matched) << matched.error().error.describe();
  EXPECT_EQ(matched->ima_entries, 0u);
  EXPECT_EQ(matched->ima_offset, 0u);
  longest.entries.push_back(longest.entries.back());
  EXPECT_FALSE(match_logs_to_quote(quote, nullptr, &longest));
}

TEST(VerifyLogs, AMemoryOfAnotherBankIsRefused) {
  ImaLog const ima = ima_log("clean/quote1");
  EventLog const boot = boot_log("clean/quote1");
  auto const matched = match_logs_to_quote(captured_quote("clean", "quote1"), &boot, &ima,
                                           ImaStart{Digest::zero(HashAlgorithm::sha1)});
  ASSERT_FALSE(matched);
  EXPECT_EQ(matched.error().kind, LogMismatchKind::selection);
}

}  // namespace
}  // namespace shamon
