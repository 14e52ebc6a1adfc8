// What a VM is told about its interface: DHCP (RFC 2131) with its one address, and the stateless
// part of DHCPv6 (RFC 8415 §6.1). Pure; there are no leases to keep, since a VM's address is its
// identity.
#pragma once

#include "host/vm_frame.hpp"

namespace shamon {

inline constexpr std::uint32_t kDhcpLeaseSeconds = 3600;

struct DhcpAnswer {
  Ipv4 to;  ///< all ones: to everybody on the link
  Bytes message;
};
/// Nothing for what needs no answer, is for another server or machine, or is no such message.
/// `domain` may be empty.
std::optional<DhcpAnswer> answer_dhcp(ByteView message, ServedVm const& vm,
                                      std::string const& domain);

/// The answer to an INFORMATION-REQUEST.
std::optional<Bytes> answer_dhcpv6(ByteView message, std::string const& domain);

/// The gate as a VM's next hop: the last address of its network that is not its own. The gate
/// answers ARP for every address, so any would do. In a network of two or one: the services'
/// address.
Ipv4 router_of(ServedVm const& vm) noexcept;

}  // namespace shamon
