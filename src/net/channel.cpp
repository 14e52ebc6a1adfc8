#include "net/channel.hpp"

#include <cerrno>
#include <cstring>

#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/assert.hpp"
#include "net/limits.hpp"
#include "net/socket.hpp"

namespace shamon {
namespace {

/// Buffers lent for the time of one read, so that waiting connections hold none.
struct Scratch {
  Bytes wire = Bytes(kReadBytes);
  Bytes plain;
};
thread_local std::unique_ptr<Scratch> spare_scratch;

}  // namespace

std::shared_ptr<Channel> Channel::accepted(EventLoop& loop, UniqueFd fd,
                                           std::shared_ptr<TlsContext const> const& tls,
                                           ChannelEvents& events) {
  std::shared_ptr<Channel> channel(new Channel(loop, events));
  channel->start(std::move(fd), tls, false);
  return channel;
}

std::shared_ptr<Channel> Channel::connecting(EventLoop& loop, Result<UniqueFd> fd,
                                             std::shared_ptr<TlsContext const> const& tls,
                                             ChannelEvents& events) {
  std::shared_ptr<Channel> channel(new Channel(loop, events));
  channel->start(std::move(fd), tls, true);
  return channel;
}

Channel::~Channel() {
  if (fd_) loop_.unwatch(fd_.get());
}

void Channel::start(Result<UniqueFd> fd, std::shared_ptr<TlsContext const> const& tls,
                    bool connecting) {
  last_progress_ = loop_.now();
  if (tls) {
    auto session = TlsSession::create(tls);
    if (!session) return end(session.error(), false);
    tls_ = std::move(*session);
  }
  if (!fd) return end(fd.error(), false);
  fd_ = std::move(*fd);
  connecting_ = connecting;
  ready_ = !connecting && !tls_;
  interest_ = connecting ? EPOLLOUT : EPOLLIN;
  loop_.watch(fd_.get(), interest_, [weak = weak_from_this()](std::uint32_t events) {
    if (auto const self = weak.lock()) self->on_events(events);
  });
}

void Channel::on_events(std::uint32_t events) {
  if (connecting_) return finish_connect();
  if ((events & EPOLLOUT) != 0) flush();
  bool const gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (fd_ && (gone || (reading_ && (events & EPOLLIN) != 0))) read();
  if (!fd_ || !was_blocked_ || backlog_bytes() != 0) return;
  was_blocked_ = false;
  if (closing_) return end(Error{Errc::unreachable, "closed", {}}, true);
  if (events_ != nullptr) events_->channel_drained();
}

void Channel::finish_connect() {
  if (int const error = connect_error(fd_.get()); error != 0) {
    return end(Error{Errc::unreachable, std::string("connect: ") + std::strerror(error), {}},
               false);
  }
  connecting_ = false;
  last_progress_ = loop_.now();
  if (tls_) {
    queue_tls_output();
    return flush();
  }
  ready_ = true;
  flush();
  if (events_ != nullptr) events_->channel_ready();
}

void Channel::read() {
  auto scratch = spare_scratch ? std::move(spare_scratch) : std::make_unique<Scratch>();
  ssize_t const size = ::recv(fd_.get(), scratch->wire.data(), scratch->wire.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    spare_scratch = std::move(scratch);
    return;
  }
  if (size <= 0) {
    end(Error{Errc::unreachable,
              size == 0 ? "closed by the peer" : std::string("read: ") + std::strerror(errno),
              {}},
        false);
    return;
  }
  ByteView const wire(scratch->wire.data(), static_cast<std::size_t>(size));
  scratch->plain.clear();
  ByteView plain = wire;
  if (tls_) {
    if (!take_plain(wire, scratch->plain)) return;
    plain = scratch->plain;
  }
  if (!plain.empty() && !closing_ && events_ != nullptr) events_->channel_data(plain);
  if (fd_ && tls_ && tls_->closed_by_peer()) {
    end(Error{Errc::unreachable, "closed by the peer", {}}, false);
  }
  if (scratch->plain.capacity() > 4 * kReadBytes) scratch->plain = Bytes();
  spare_scratch = std::move(scratch);
}

/// Decrypts; false if the channel ended meanwhile.
bool Channel::take_plain(ByteView wire, Bytes& plain) {
  Status const status = tls_->receive(wire, plain);
  queue_tls_output();
  flush();
  if (!fd_) return false;
  if (!status) {
    end(status.error(), true);  // the alert that says why is on its way
    return false;
  }
  if (!ready_ && tls_->handshake_done()) {
    ready_ = true;
    if (events_ != nullptr) events_->channel_ready();
  }
  return static_cast<bool>(fd_);
}

void Channel::send(ByteView plain) {
  if (!fd_ || closing_ || plain.empty()) return;
  bool const waiting = connecting_ || backlog_bytes() > 0;  // then the loop says when to go on
  if (!tls_) {
    append(output_, plain);
  } else {
    if (auto status = tls_->send(plain); !status) return end(status.error(), false);
    queue_tls_output();
  }
  if (!waiting) flush();
}

void Channel::queue_tls_output() {
  Bytes more = tls_->take_output();
  if (output_.empty()) {
    output_ = std::move(more);
  } else {
    append(output_, more);
  }
}

void Channel::flush() {
  if (!fd_) return;
  while (backlog_bytes() > 0) {
    ssize_t const size =
        ::send(fd_.get(), output_.data() + output_at_, backlog_bytes(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size < 0) {
      return end(Error{Errc::unreachable, std::string("write: ") + std::strerror(errno), {}},
                 false);
    }
    output_at_ += static_cast<std::size_t>(size);
    last_progress_ = loop_.now();
  }
  if (backlog_bytes() == 0) {
    output_ = Bytes();  // not {}: that empties a vector and keeps its memory
    output_at_ = 0;
    last_progress_ = loop_.now();
  } else {
    was_blocked_ = true;
    // Sent bytes at the front are dropped once they are the larger part.
    if (output_at_ > output_.size() / 2) {
      output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(output_at_));
      output_at_ = 0;
    }
  }
  update_interest();
}

void Channel::update_interest() {
  std::uint32_t wanted = reading_ ? static_cast<std::uint32_t>(EPOLLIN) : 0u;
  if (backlog_bytes() > 0) wanted |= EPOLLOUT;
  if (wanted == interest_) return;
  interest_ = wanted;
  loop_.change(fd_.get(), wanted);
}

void Channel::set_reading(bool reading) {
  reading_ = reading;
  if (fd_ && !connecting_) update_interest();
}

void Channel::close() {
  events_ = nullptr;
  if (!fd_ || closing_) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
}

void Channel::close_when_flushed() {
  if (!fd_ || closing_) return;
  if (!ready_) return end(Error{Errc::unreachable, "closed", {}}, false);
  if (tls_) {
    tls_->shutdown();
    queue_tls_output();
  }
  flush();
  if (!fd_) return;
  closing_ = true;
  if (backlog_bytes() == 0) return end(Error{Errc::unreachable, "closed", {}}, true);
  self_while_closing_ = shared_from_this();
  watch_closing();
}

void Channel::watch_closing() {
  loop_.after(kLingerMax, [weak = weak_from_this()] {
    auto const self = weak.lock();
    if (!self || !self->fd_) return;
    if (self->loop_.now() - self->last_progress_ < kLingerMax) return self->watch_closing();
    self->end(Error{Errc::timeout, "the peer does not read", {}}, false);
  });
}

/// The descriptor goes at once; the owner hears of it on the loop's next turn, so that no call to
/// the channel ever calls back.
void Channel::end(Error why, bool lingering) {
  if (fd_) {
    loop_.unwatch(fd_.get());
    if (lingering) {
      linger(loop_, std::move(fd_));
    }
    fd_.reset();
  }
  ready_ = false;
  self_while_closing_.reset();
  loop_.at(loop_.now(), [self = shared_from_this(), why = std::move(why)] {
    ChannelEvents* const events = std::exchange(self->events_, nullptr);
    if (events != nullptr) events->channel_closed(why);
  });
}

}  // namespace shamon
