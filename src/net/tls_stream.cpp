#include "net/tls_stream.hpp"

#include <map>

#include "base/assert.hpp"
#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/ipv4_text.hpp"
#include "net/channel.hpp"
#include "net/limits.hpp"
#include "net/socket.hpp"

namespace shamon {
namespace {

constexpr std::size_t kLengthBytes = 4;

class Frames final : public FrameConnection,
                     public ChannelEvents,
                     public std::enable_shared_from_this<Frames> {
 public:
  Frames(EventLoop& loop, Endpoint peer) : loop_(loop), peer_(peer) {}
  ~Frames() override {
    loop_.cancel(timer_);
    channel_->close_when_flushed();
    channel_->close();
  }

  void start(Result<UniqueFd> fd, std::shared_ptr<TlsContext const> const& tls, bool accepted,
             Duration timeout) {
    timer_ = loop_.after(timeout, [this] {
      end(Error{Errc::timeout, "no TLS connection with " + to_string(peer_) + " in time", {}});
    });
    channel_ = accepted ? Channel::accepted(loop_, std::move(*fd), tls, *this)
                        : Channel::connecting(loop_, std::move(fd), tls, *this);
    // The session exists from the start, connected or not, so that tls() always has one to name.
    SHAMON_ASSERT(channel_->tls() != nullptr);
  }

  void set_handlers(Handlers handlers) override { handlers_ = std::move(handlers); }
  void send(ByteView payload) override {
    if (dead_) return;
    if (payload.size() > kTlsFrameBytesMax) {
      return end_soon(Error{Errc::too_large, "frame to send", {}});
    }
    ByteWriter writer;
    writer.u32be(static_cast<std::uint32_t>(payload.size()));
    Bytes frame = std::move(writer).take();
    append(frame, payload);
    channel_->send(frame);
    if (channel_->backlog_bytes() > kFrameBacklogBytesMax) {
      end_soon(Error{Errc::too_large, "the peer does not read", {}});
    }
  }
  void close() override {
    dead_ = true;
    handlers_ = {};
    loop_.cancel(timer_);
    channel_->close_when_flushed();
  }
  TlsSession const& tls() const override { return *channel_->tls(); }
  Endpoint peer() const override { return peer_; }

 private:
  void channel_ready() override {
    auto const self = shared_from_this();
    loop_.cancel(timer_);
    if (auto const handler = handlers_.on_ready) handler();
  }

  void channel_data(ByteView plain) override {
    auto const self = shared_from_this();
    append(input_, plain);
    std::size_t used = 0;
    while (!dead_) {
      Cursor cursor(ByteView(input_).subspan(used));
      std::uint32_t const size = cursor.u32be();
      if (!cursor.ok()) break;
      if (size > kTlsFrameBytesMax) {
        return end(Error{Errc::too_large, "frame of " + std::to_string(size) + " bytes", {}});
      }
      ByteView const frame = cursor.take(size);
      if (!cursor.ok()) break;
      used += kLengthBytes + size;
      if (auto const handler = handlers_.on_frame) handler(frame);
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
    if (input_.empty()) input_ = Bytes();
  }

  void channel_closed(Error why) override { end(std::move(why)); }

  void end(Error why) {
    if (std::exchange(dead_, true)) return;
    auto const self = shared_from_this();
    loop_.cancel(timer_);
    channel_->close();
    Handlers const handlers = std::exchange(handlers_, {});
    if (handlers.on_closed) handlers.on_closed(std::move(why));
  }
  /// For errors found inside a call of the owner's, which must not be called back from it.
  void end_soon(Error why) {
    loop_.at(loop_.now(), [weak = weak_from_this(), why = std::move(why)] {
      if (auto const self = weak.lock()) self->end(why);
    });
  }

  EventLoop& loop_;
  Endpoint peer_;
  Handlers handlers_;
  std::shared_ptr<Channel> channel_;
  Bytes input_;
  EventLoop::TimerId timer_{};
  bool dead_ = false;
};

class Listener final : public FrameListener {
 public:
  Listener(EventLoop& loop, UniqueFd fd, Endpoint local, std::shared_ptr<TlsContext const> tls,
           Handlers handlers)
      : loop_(loop),
        local_(local),
        tls_(std::move(tls)),
        handlers_(std::move(handlers)),
        budget_(handlers_.is_known),
        acceptor_(loop, std::move(fd), [this](UniqueFd peer) { accept(std::move(peer)); }) {}
  Endpoint local() const override { return local_; }
  void set_tls(std::shared_ptr<TlsContext const> tls) override { tls_ = std::move(tls); }

 private:
  struct Beginning {
    std::shared_ptr<Frames> frames;
    HandshakeBudget::Ticket ticket;
  };

  void accept(UniqueFd peer) {
    Endpoint const from = peer_endpoint(peer.get());
    auto ticket = budget_.take(from.address, loop_.now());
    if (!ticket) return refuse(from, Error{Errc::denied, "too many handshakes", {}});
    auto const frames = std::make_shared<Frames>(loop_, from);
    Frames* const key = frames.get();
    frames->set_handlers({.on_ready =
                              [this, key] {
                                auto const ready = std::move(beginnings_.extract(key).mapped());
                                handlers_.on_ready(ready.frames);
                              },
                          .on_frame = {},
                          .on_closed =
                              [this, key, from](Error why) {
                                beginnings_.erase(key);
                                refuse(from, std::move(why));
                              }});
    beginnings_.emplace(key, Beginning{frames, std::move(ticket)});
    frames->start(std::move(peer), tls_, true, kFrameHandshakeMax);
  }
  void refuse(Endpoint from, Error why) const {
    if (handlers_.on_refused) handlers_.on_refused(from, std::move(why));
  }

  EventLoop& loop_;
  Endpoint local_;
  std::shared_ptr<TlsContext const> tls_;
  Handlers handlers_;
  HandshakeBudget budget_;
  std::map<Frames*, Beginning> beginnings_;
  Acceptor acceptor_;
};

}  // namespace

std::shared_ptr<FrameConnection> connect_frames(EventLoop& loop, Endpoint to,
                                                std::shared_ptr<TlsContext const> tls,
                                                Duration timeout) {
  auto frames = std::make_shared<Frames>(loop, to);
  frames->start(start_connect(to), tls, false, timeout);
  return frames;
}

Result<std::unique_ptr<FrameListener>> listen_frames(EventLoop& loop, Endpoint at,
                                                     std::shared_ptr<TlsContext const> tls,
                                                     FrameListener::Handlers handlers) {
  if (!tls) return fail(Errc::invalid, "no TLS context");
  auto fd = listen_tcp(at);
  if (!fd) return pass(fd);
  auto const local = local_endpoint(fd->get());
  if (!local) return pass(local);
  return std::make_unique<Listener>(loop, std::move(*fd), *local, std::move(tls),
                                    std::move(handlers));
}

}  // namespace shamon
