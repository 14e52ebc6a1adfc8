// Addresses as operators write them. Errors: `malformed`, with the offset of what is wrong.
#pragma once

#include <string>
#include <string_view>

#include "base/ipv4.hpp"
#include "base/result.hpp"

namespace shamon {

Result<Ipv4> parse_ipv4(std::string_view text);

/// "10.0.0.1" or "2001:db8::1" (RFC 5952)
std::string to_string(IpAddress const& address);
/// Either family; an IPv4-mapped IPv6 address is refused, since it would be a second name of one.
Result<IpAddress> parse_ip(std::string_view text);

std::string to_string(Endpoint const& endpoint);
/// "10.0.0.1:8443" or "[2001:db8::1]:8443"
Result<Endpoint> parse_endpoint(std::string_view text);

/// "02:00:5e:10:00:0f"
std::string to_string(MacAddress const& mac);
Result<MacAddress> parse_mac(std::string_view text);

}  // namespace shamon
