#include "base/socket_address.hpp"

#include <cstring>

#include <netinet/in.h>

namespace shamon {

SocketAddress::SocketAddress(Endpoint const& endpoint) noexcept {
  if (endpoint.address.is_ipv4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    v4.sin_addr.s_addr = htonl(endpoint.address.ipv4().bits);
    size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), sizeof v6.sin6_addr);
    size = sizeof v6;
  }
}

Endpoint SocketAddress::endpoint() const noexcept {
  if (family() == AF_INET) {
    auto const& v4 = reinterpret_cast<sockaddr_in const&>(storage);
    return {Ipv4{ntohl(v4.sin_addr.s_addr)}, ntohs(v4.sin_port)};
  }
  if (family() != AF_INET6) return {};
  auto const& v6 = reinterpret_cast<sockaddr_in6 const&>(storage);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return {IpAddress(bytes), ntohs(v6.sin6_port)};
}

}  // namespace shamon
