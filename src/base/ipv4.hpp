// IPv4 addresses and transport endpoints as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace shamon {

/// An IPv4 address in host byte order: 10.0.0.1 is 0x0a000001.
struct Ipv4 {
  std::uint32_t bits = 0;
  friend constexpr auto operator<=>(Ipv4, Ipv4) = default;
};
std::string to_string(Ipv4 address);

/// Address and port, both in host byte order.
struct Endpoint {
  Ipv4 address;
  std::uint16_t port = 0;
  friend constexpr auto operator<=>(Endpoint const&, Endpoint const&) = default;
};

/// A 48-bit Ethernet address.
struct MacAddress {
  std::array<std::uint8_t, 6> octets{};
  friend constexpr auto operator<=>(MacAddress const&, MacAddress const&) = default;
};

}  // namespace shamon
