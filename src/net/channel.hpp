// A connected socket on the loop, in clear or under TLS: what server, client and frames stand on.
#pragma once

#include <memory>

#include "base/fd.hpp"
#include "crypto/tls.hpp"
#include "net/event_loop.hpp"

namespace shamon {

/// What happens on a channel. Called from the loop only, never from inside a call to the channel.
class ChannelEvents {
 public:
  virtual void channel_ready() {}  ///< connected, handshake done
  virtual void channel_data(ByteView plain) = 0;
  virtual void channel_drained() {}            ///< a backlog went out entirely
  virtual void channel_closed(Error why) = 0;  ///< once, unless the owner closed

 protected:
  ~ChannelEvents() = default;
};

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  /// `events` must outlive the channel or call close() before it goes.
  static std::shared_ptr<Channel> accepted(EventLoop& loop, UniqueFd fd,
                                           std::shared_ptr<TlsContext const> const& tls,
                                           ChannelEvents& events);
  /// `fd` as start_connect gave it; its error is reported like a later one.
  static std::shared_ptr<Channel> connecting(EventLoop& loop, Result<UniqueFd> fd,
                                             std::shared_ptr<TlsContext const> const& tls,
                                             ChannelEvents& events);
  ~Channel();

  void send(ByteView plain);
  void send(std::string_view plain) { send(as_bytes(plain)); }
  void set_reading(bool reading);  ///< false: input waits in the kernel
  /// No event follows. Closes now, but where close_when_flushed() was called: that runs its course.
  void close();
  /// Sends what is left, says good-bye, then closes; the closed event follows. Gives up when the
  /// peer takes nothing for kLingerMax. The owner may let go of the channel at once.
  void close_when_flushed();

  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  bool ready() const noexcept { return ready_; }
  std::size_t backlog_bytes() const noexcept { return output_.size() - output_at_; }
  /// When output last moved or was empty; a peer that reads nothing makes this old.
  Instant last_progress() const noexcept { return last_progress_; }
  TlsSession const* tls() const noexcept { return tls_ ? &*tls_ : nullptr; }
  int fd() const noexcept { return fd_.get(); }

 private:
  Channel(EventLoop& loop, ChannelEvents& events) : loop_(loop), events_(&events) {}
  void start(Result<UniqueFd> fd, std::shared_ptr<TlsContext const> const& tls, bool connecting);
  void on_events(std::uint32_t events);
  void finish_connect();
  void read();
  bool take_plain(ByteView wire, Bytes& plain);
  void queue_tls_output();
  void flush();
  void update_interest();
  void watch_closing();
  void end(Error why, bool lingering);

  EventLoop& loop_;
  ChannelEvents* events_;
  UniqueFd fd_;
  std::optional<TlsSession> tls_;
  Bytes output_;
  std::size_t output_at_ = 0;
  Instant last_progress_;
  std::uint32_t interest_ = 0;
  bool connecting_ = false;
  bool ready_ = false;
  bool reading_ = true;
  bool was_blocked_ = false;
  bool closing_ = false;
  std::shared_ptr<Channel> self_while_closing_;
};

}  // namespace shamon
