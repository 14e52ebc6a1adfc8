// Non-blocking sockets: addresses, listening, connecting. For net/ only.
#pragma once

#include <functional>

#include "base/fd.hpp"
#include "base/ipv4.hpp"
#include "net/http.hpp"

namespace shamon {

/// Errors: `system`; `too_large` for a path that does not fit a socket address.
Result<UniqueFd> listen_tcp(Endpoint at);
/// A socket left behind by a process that is gone is replaced; any other file is not.
Result<UniqueFd> listen_unix_socket(std::string const& path, unsigned mode);
/// Begins to connect; writable when done, SO_ERROR tells how. Errors: `unreachable`.
Result<UniqueFd> start_connect(Endpoint to);
Result<UniqueFd> start_connect(std::string const& unix_path);

Result<Endpoint> local_endpoint(int fd);
Endpoint peer_endpoint(int fd);
std::optional<LocalPeer> unix_peer(int fd);
/// The error a pending connect ended with; 0 for success.
int connect_error(int fd);

/// Accepts on a listening socket until destroyed.
class Acceptor {
 public:
  using OnAccept = std::function<void(UniqueFd)>;
  Acceptor(EventLoop& loop, UniqueFd listening, OnAccept on_accept);
  ~Acceptor();
  Acceptor(Acceptor const&) = delete;
  Acceptor& operator=(Acceptor const&) = delete;
  int fd() const noexcept { return fd_.get(); }

 private:
  void accept_some();
  void pause();

  EventLoop& loop_;
  UniqueFd fd_;
  OnAccept on_accept_;
  EventLoop::TimerId resume_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< false: gone inside on_accept
};

/// Keeps a socket open until the peer has read what we sent and closed, or kLingerMax passed:
/// closing with unread input would reset the connection and lose our last words.
void linger(EventLoop& loop, UniqueFd fd);

}  // namespace shamon
