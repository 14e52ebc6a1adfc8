// Addresses as operators write them. Errors: `malformed`, with the offset of what is wrong.
#pragma once

#include <string>
#include <string_view>

#include "base/ipv4.hpp"
#include "base/result.hpp"

namespace shamon {

Result<Ipv4> parse_ipv4(std::string_view text);

std::string to_string(Endpoint endpoint);
/// "10.0.0.1:8443"
Result<Endpoint> parse_endpoint(std::string_view text);

/// "02:00:5e:10:00:0f"
std::string to_string(MacAddress const& mac);
Result<MacAddress> parse_mac(std::string_view text);

}  // namespace shamon
