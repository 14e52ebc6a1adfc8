// Endpoints as the kernel takes them.
#pragma once

#include <sys/socket.h>

#include "base/ipv4.hpp"

namespace shamon {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  SocketAddress() = default;
  explicit SocketAddress(Endpoint const& endpoint) noexcept;
  /// Of AF_INET or AF_INET6; 0.0.0.0 and port 0 for any other family.
  Endpoint endpoint() const noexcept;
  int family() const noexcept { return storage.ss_family; }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  sockaddr const* get() const noexcept { return reinterpret_cast<sockaddr const*>(&storage); }
};

}  // namespace shamon
