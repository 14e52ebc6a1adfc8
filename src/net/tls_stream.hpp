// A TLS session on a TCP socket on the event loop: frames of u32be length and payload.
// This is what host-to-host negotiation runs over.
#pragma once

#include <functional>
#include <memory>

#include "base/ipv4.hpp"
#include "crypto/tls.hpp"
#include "net/event_loop.hpp"
#include "net/handshake_budget.hpp"

namespace shamon {

inline constexpr std::size_t kTlsFrameBytesMax = 8u << 20;

class FrameConnection {
 public:
  struct Handlers {
    std::function<void()> on_ready;  ///< handshake done
    std::function<void(ByteView)> on_frame;
    std::function<void(Error)> on_closed;  ///< once; the connection is then dead
  };
  virtual ~FrameConnection() = default;  ///< closes
  virtual void set_handlers(Handlers handlers) = 0;
  virtual void send(ByteView payload) = 0;
  virtual void close() = 0;
  virtual TlsSession const& tls() const = 0;
  virtual Endpoint peer() const = 0;
};

std::shared_ptr<FrameConnection> connect_frames(EventLoop& loop, Endpoint to,
                                                std::shared_ptr<TlsContext const> tls,
                                                Duration timeout = std::chrono::seconds(5));

class FrameListener {
 public:
  struct Handlers {
    /// Its handshake is done: who it is has been proved. Its handlers are to be set at once.
    std::function<void(std::shared_ptr<FrameConnection>)> on_ready;
    /// Who came from there proved nothing, or had no handshake left (HandshakeBudget).
    std::function<void(Endpoint from, Error)> on_refused{};
    HandshakeBudget::IsKnown is_known{};
  };
  virtual ~FrameListener() = default;
  virtual Endpoint local() const = 0;
  /// For the certificate's renewal: later connections use it.
  virtual void set_tls(std::shared_ptr<TlsContext const> tls) = 0;
};
Result<std::unique_ptr<FrameListener>> listen_frames(EventLoop& loop, Endpoint at,
                                                     std::shared_ptr<TlsContext const> tls,
                                                     FrameListener::Handlers handlers);

}  // namespace shamon
