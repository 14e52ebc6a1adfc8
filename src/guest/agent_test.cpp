#include "guest/agent.hpp"

#include <gtest/gtest.h>

namespace shamon::guest {
namespace {

std::vector<Frame> frames_in(Bytes const& bytes) {
  FrameReader reader;
  reader.feed(bytes);
  std::vector<Frame> out;
  for (auto next = reader.next(); next && *next; next = reader.next()) out.push_back(**next);
  return out;
}

TEST(Agent, AnswersAChallengeWithEvidenceOrTheReasonWhyNot) {
  bool broken = false;
  Agent agent([&](Challenge const& challenge) -> Result<Evidence> {
    if (broken) return fail(Errc::tpm, "no vTPM");
    Evidence evidence;
    evidence.attest = challenge.nonce;
    return evidence;
  });
  Challenge challenge;
  challenge.nonce = {1, 2, 3};
  ASSERT_TRUE(agent.receive(encode_frame(ChallengeFrame{7, challenge})).has_value());
  broken = true;
  ASSERT_TRUE(agent.receive(encode_frame(ChallengeFrame{8, challenge})).has_value());
  auto const out = frames_in(agent.output());
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(std::get<EvidenceFrame>(out[0]).sequence, 7u);
  EXPECT_EQ(std::get<EvidenceFrame>(out[0]).evidence.attest, challenge.nonce);
  EXPECT_EQ(std::get<FailureFrame>(out[1]).sequence, 8u);
  EXPECT_NE(std::get<FailureFrame>(out[1]).text.find("no vTPM"), std::string::npos);
}

TEST(Agent, MatchesAnswersToQuestionsAndIgnoresStrayOnes) {
  Agent agent([](Challenge const&) -> Result<Evidence> { return Evidence{}; });
  std::string heard;
  agent.ask(Question::label, "", [&](AnswerFrame const& a) { heard = a.text; });
  auto const asked = std::get<QueryFrame>(frames_in(agent.output()).at(0));
  ASSERT_TRUE(
      agent.receive(encode_frame(AnswerFrame{asked.sequence + 5, true, "stray"})).has_value());
  EXPECT_EQ(heard, "");
  ASSERT_TRUE(agent.receive(encode_frame(AnswerFrame{asked.sequence, true, "green"})).has_value());
  EXPECT_EQ(heard, "green");
}

TEST(Agent, RefusesFramesThatOnlyAGuestSends) {
  Agent agent([](Challenge const&) -> Result<Evidence> { return Evidence{}; });
  EXPECT_FALSE(agent.receive(encode_frame(QueryFrame{1, Question::label, ""})).has_value());
}

TEST(Agent, SaysSoWhenItsLogsDoNotFitAFrame) {
  std::size_t log_bytes = 0;
  Agent agent([&](Challenge const&) -> Result<Evidence> {
    Evidence evidence;
    evidence.ima_log.resize(log_bytes);
    return evidence;
  });
  constexpr std::size_t kFixedBytes = 1 + 8 + 4 * 4 + 8 + 4;
  log_bytes = kFrameBytesMax - kFixedBytes;
  ASSERT_TRUE(agent.receive(encode_frame(ChallengeFrame{1, {}})));
  EXPECT_TRUE(std::holds_alternative<EvidenceFrame>(frames_in(agent.output()).at(0)));
  agent.output().clear();
  ++log_bytes;
  ASSERT_TRUE(agent.receive(encode_frame(ChallengeFrame{2, {}})));
  EXPECT_EQ(std::get<FailureFrame>(frames_in(agent.output()).at(0)).sequence, 2u);
}

TEST(Agent, AnswersNoItselfWhenTooManyQuestionsWait) {
  Agent agent([](Challenge const&) -> Result<Evidence> { return Evidence{}; });
  std::size_t refused = 0;
  auto count = [&](AnswerFrame const& answer) { refused += answer.yes ? 0 : 1; };
  for (std::size_t i = 0; i < kQuestionsWaitingMax; ++i) agent.ask(Question::label, "", count);
  EXPECT_EQ(refused, 0u);
  agent.ask(Question::label, "", count);
  EXPECT_EQ(refused, 1u);
  agent.restart();
  EXPECT_TRUE(agent.output().empty());
  agent.ask(Question::may_talk, std::string(kTextBytesMax + 1, 'a'), count);
  EXPECT_EQ(refused, 2u);
  agent.ask(Question::may_talk, std::string(kTextBytesMax, 'a'), count);
  EXPECT_EQ(refused, 2u);
}

}  // namespace
}  // namespace shamon::guest
