// IP addresses and transport endpoints as values.
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

/// An address of either family, in network byte order; IPv4 stands as ::ffff:a.b.c.d (RFC 4291
/// §2.5.5.2). Unset, it is 0.0.0.0.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr IpAddress() = default;
  constexpr IpAddress(Ipv4 v4) noexcept  // NOLINT(google-explicit-constructor): the same address
      : bytes{0,
              0,
              0,
              0,
              0,
              0,
              0,
              0,
              0,
              0,
              0xff,
              0xff,
              octet(v4, 24),
              octet(v4, 16),
              octet(v4, 8),
              octet(v4, 0)} {}
  explicit constexpr IpAddress(std::array<std::uint8_t, 16> const& all) noexcept : bytes(all) {}
  constexpr bool is_ipv4() const noexcept {
    for (std::size_t i = 0; i < 10; ++i) {
      if (bytes[i] != 0) return false;
    }
    return bytes[10] == 0xff && bytes[11] == 0xff;
  }
  /// Of an IPv4 address only.
  constexpr Ipv4 ipv4() const noexcept {
    return {std::uint32_t{bytes[12]} << 24 | std::uint32_t{bytes[13]} << 16 |
            std::uint32_t{bytes[14]} << 8 | bytes[15]};
  }
  friend constexpr auto operator<=>(IpAddress const&, IpAddress const&) = default;

 private:
  static constexpr std::uint8_t octet(Ipv4 v4, int shift) noexcept {
    return static_cast<std::uint8_t>(v4.bits >> shift);
  }
};

/// Address and port, the port in host byte order.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  friend constexpr auto operator<=>(Endpoint const&, Endpoint const&) = default;
};

/// A 48-bit Ethernet address.
struct MacAddress {
  std::array<std::uint8_t, 6> octets{};
  friend constexpr auto operator<=>(MacAddress const&, MacAddress const&) = default;
};

}  // namespace shamon
