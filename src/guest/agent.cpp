#include "guest/agent.hpp"

namespace shamon::guest {

Status Agent::receive(ByteView bytes) {
  reader_.feed(bytes);
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return pass(frame);
    if (!*frame) return {};
    if (auto const* challenge = std::get_if<ChallengeFrame>(&**frame)) {
      auto evidence = make_evidence_(challenge->challenge);
      append(output_,
             evidence
                 ? encode_frame(EvidenceFrame{challenge->sequence, std::move(*evidence)})
                 : encode_frame(FailureFrame{challenge->sequence, evidence.error().describe()}));
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
  QueryFrame const query{next_question_++, question, argument.substr(0, kTextBytesMax)};
  waiting_.emplace(query.sequence, std::move(answered));
  append(output_, encode_frame(query));
}

}  // namespace shamon::guest
