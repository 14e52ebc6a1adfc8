// Services in the words people use: tcp/443, udp/9000-9010, icmp, any.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "policy/decide.hpp"

namespace shamon {

/// What an `allow` may name. Protocol 0: every service.
struct ServicePattern {
  std::uint8_t protocol = 0;
  std::uint16_t port_low = 0;
  std::uint16_t port_high = 65535;
  friend constexpr auto operator<=>(ServicePattern, ServicePattern) = default;
};

inline constexpr std::uint8_t kProtocolIcmp6 = 58;  ///< ICMPv6, RFC 4443 §1

/// "tcp/443", "udp/9000-9010", "tcp", "udp", "icmp", "icmp6", "any". Ports 1..65535.
/// Errors: `malformed`, with the offset of what is wrong and what would be right.
Result<ServicePattern> parse_service_pattern(std::string_view text);
/// One service, as a packet has it: a port, not a range.
Result<Service> parse_service(std::string_view text);

std::string to_string(ServicePattern pattern);
/// "tcp/443"; with a source port "tcp/51000 from 443"; "protocol 47" for those without a word.
std::string to_string(Service service);

}  // namespace shamon
