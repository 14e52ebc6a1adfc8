#include "guest/agent.hpp"

namespace shamon::guest {

void Agent::answer_challenge(ChallengeFrame const& challenge) {
  auto evidence = make_evidence_(challenge.challenge);
  if (evidence && !fits_a_frame(*evidence)) {
    evidence = fail(Errc::too_large, "the logs are larger than the channel takes");
  }
  if (evidence) {
    append(output_, encode_frame(EvidenceFrame{challenge.sequence, std::move(*evidence)}));
    return;
  }
  std::string const why = evidence.error().describe().substr(0, kTextBytesMax);
  append(output_, encode_frame(FailureFrame{challenge.sequence, why}));
}

Status Agent::receive(ByteView bytes) {
  reader_.feed(bytes);
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return pass(frame);
    if (!*frame) return {};
    if (auto const* challenge = std::get_if<ChallengeFrame>(&**frame)) {
      answer_challenge(*challenge);
    } else if (auto const* answer = std::get_if<AnswerFrame>(&**frame)) {
      auto const found = waiting_.find(answer->sequence);
      if (found == waiting_.end()) continue;
      Answered const answered = std::move(found->second);
      waiting_.erase(found);
      answered(*answer);
    } else {
      return fail(Errc::malformed, "the monitor sent a frame that only a guest sends");
    }
  }
}

void Agent::ask(Question question, std::string argument, Answered answered) {
  if (waiting_.size() >= kQuestionsWaitingMax || argument.size() > kTextBytesMax) {
    answered({0, false, "the agent cannot take this question now"});
    return;
  }
  QueryFrame const query{next_question_++, question, std::move(argument)};
  waiting_.emplace(query.sequence, std::move(answered));
  append(output_, encode_frame(query));
}

void Agent::restart() {
  reader_ = FrameReader();
  output_.clear();
  waiting_.clear();
}

}  // namespace shamon::guest
