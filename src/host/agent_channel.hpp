// The host monitor's end of a guest's channel on the event loop: sends challenges, answers
// questions.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "base/fd.hpp"
#include "guest/protocol.hpp"
#include "net/event_loop.hpp"

namespace shamon {

inline constexpr std::size_t kChallengesWaitingMax = 32;  ///< per guest

class AgentChannel {
 public:
  using Evidenced = std::function<void(Result<Evidence>)>;
  using Answer = std::function<guest::AnswerFrame(guest::QueryFrame const&)>;
  AgentChannel(EventLoop& loop, UniqueFd stream, Answer answer);
  ~AgentChannel();

  /// Calls `done` once: with evidence, with the guest's reason, or with `timeout`.
  void challenge(Challenge const& challenge, Duration limit, Evidenced done);
  bool open() const noexcept { return static_cast<bool>(stream_); }

 private:
  void receive();
  void send(guest::Frame const& frame);
  void flush();
  void finish(std::uint64_t sequence, Result<Evidence> result);
  void close(Error const& why);

  EventLoop& loop_;
  UniqueFd stream_;
  Answer answer_;
  guest::FrameReader reader_;
  Bytes unsent_;
  std::uint64_t next_sequence_ = 1;
  struct Waiting {
    Evidenced done;
    EventLoop::TimerId timer;
  };
  std::map<std::uint64_t, Waiting> waiting_;
};

}  // namespace shamon
