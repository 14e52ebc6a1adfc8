// The agent's side of the channel, without its descriptors: bytes in, bytes out. The TPM and the
// log are asked through callbacks.
#pragma once

#include <functional>
#include <map>

#include "guest/protocol.hpp"

namespace shamon::guest {

/// Questions that wait for the monitor; more are answered "no" at once.
inline constexpr std::size_t kQuestionsWaitingMax = 64;

class Agent {
 public:
  /// Makes evidence for a challenge: quote first, then the log, so that the log is never shorter.
  using MakeEvidence = std::function<Result<Evidence>(Challenge const&)>;
  using Answered = std::function<void(AnswerFrame const&)>;
  explicit Agent(MakeEvidence make_evidence) : make_evidence_(std::move(make_evidence)) {}

  /// Takes bytes from the monitor; answers are added to `output()`. Errors: the stream is useless.
  Status receive(ByteView bytes);
  /// Sends a question; `answered` is called when the monitor replies.
  void ask(Question question, std::string argument, Answered answered);
  /// The monitor was replaced: half a frame, unsent bytes and waiting questions are void.
  void restart();
  Bytes& output() noexcept { return output_; }

 private:
  void answer_challenge(ChallengeFrame const& challenge);

  MakeEvidence make_evidence_;
  FrameReader reader_;
  Bytes output_;
  std::uint64_t next_question_ = 1;
  std::map<std::uint64_t, Answered> waiting_;
};

}  // namespace shamon::guest
