// What a VM's kernel makes its IPv6 addresses and route of (RFC 4861, RFC 4862). Pure.
#pragma once

#include <chrono>

#include "host/vm_frame.hpp"

namespace shamon {

inline constexpr std::uint16_t kRouterLifetimeSeconds = 1800;  ///< RFC 4861 §6.2.1
/// Advertisements come unasked so often, well before what they say ends.
inline constexpr std::chrono::seconds kRouterAdvertisementPeriod{300};

/// True for a router solicitation (RFC 4861 §4.1) whose options have sizes.
bool is_router_solicitation(ByteView icmp) noexcept;

/// The ICMPv6 message for the VM, its checksum zero: the VM's own prefix for its addresses, the
/// gate as router to everything else, MTU, and the name server with the search domain (RFC 8106).
Bytes make_router_advertisement(ServedVm const& vm, std::string const& domain);

}  // namespace shamon
