#include "host/agent_channel.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace shamon {

AgentChannel::AgentChannel(EventLoop& loop, UniqueFd stream, Answer answer)
    : loop_(loop), stream_(std::move(stream)), answer_(std::move(answer)) {
  ::fcntl(stream_.get(), F_SETFL, ::fcntl(stream_.get(), F_GETFL) | O_NONBLOCK);
  loop_.watch(stream_.get(), EPOLLIN, [this](std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) flush();
    if (stream_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
  });
}

AgentChannel::~AgentChannel() {
  close({Errc::unreachable, "the VM was stopped", {}});
}

void AgentChannel::close(Error const& why) {
  if (stream_) {
    loop_.unwatch(stream_.get());
    stream_.reset();
  }
  auto waiting = std::exchange(waiting_, {});
  for (auto& [sequence, entry] : waiting) {
    loop_.cancel(entry.timer);
    entry.done(tl::unexpected<Error>(why));
  }
}

void AgentChannel::challenge(Challenge const& challenge, Duration limit, Evidenced done) {
  if (!stream_ || waiting_.size() >= kChallengesWaitingMax) {
    return done(fail(Errc::unreachable,
                     stream_ ? "the guest agent lags behind" : "the guest agent is gone"));
  }
  std::uint64_t const sequence = next_sequence_++;
  auto const timer = loop_.after(limit, [this, sequence] {
    finish(sequence, fail(Errc::timeout, "the guest agent did not answer in time"));
  });
  waiting_.emplace(sequence, Waiting{std::move(done), timer});
  send(guest::ChallengeFrame{sequence, challenge});
}

void AgentChannel::finish(std::uint64_t sequence, Result<Evidence> result) {
  auto const found = waiting_.find(sequence);
  if (found == waiting_.end()) return;  // too late: its time was up
  Waiting const entry = std::move(found->second);
  waiting_.erase(found);
  loop_.cancel(entry.timer);
  entry.done(std::move(result));
}

void AgentChannel::receive() {
  std::uint8_t buffer[65536];
  for (;;) {
    ssize_t const n = ::read(stream_.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n <= 0) return close({Errc::unreachable, "the guest's channel was closed", {}});
    reader_.feed(ByteView(buffer, static_cast<std::size_t>(n)));
  }
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return close(frame.error());
    if (!*frame) return;
    if (auto* evidence = std::get_if<guest::EvidenceFrame>(&**frame)) {
      finish(evidence->sequence, std::move(evidence->evidence));
    } else if (auto* failure = std::get_if<guest::FailureFrame>(&**frame)) {
      finish(failure->sequence, fail(Errc::tpm, "the guest says: " + failure->text));
    } else if (auto* query = std::get_if<guest::QueryFrame>(&**frame)) {
      send(answer_(*query));
    } else {
      return close({Errc::malformed, "the guest sent a frame that only a monitor sends", {}});
    }
    if (!stream_) return;
  }
}

void AgentChannel::send(guest::Frame const& frame) {
  append(unsent_, guest::encode_frame(frame));
  flush();
}

void AgentChannel::flush() {
  while (!unsent_.empty()) {
    ssize_t const n = ::write(stream_.get(), unsent_.data(), unsent_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return close({Errc::unreachable, "the guest's channel was closed", {}});
    unsent_.erase(unsent_.begin(), unsent_.begin() + n);
  }
  loop_.change(stream_.get(), unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

}  // namespace shamon
