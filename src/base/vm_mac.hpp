// The Ethernet address of a VM, where none is given.
#pragma once

#include "base/ipv4.hpp"

namespace shamon {

/// A locally administered address made from the VM's IPv4 address, so that whoever sets up the VM's
/// interface and the gate that checks it agree without being told.
inline MacAddress default_vm_mac(Ipv4 address) noexcept {
  auto const octet = [&](int shift) { return static_cast<std::uint8_t>(address.bits >> shift); };
  return MacAddress{{0x02, 0x53, octet(24), octet(16), octet(8), octet(0)}};
}

}  // namespace shamon
