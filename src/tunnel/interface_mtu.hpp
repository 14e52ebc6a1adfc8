// What fits the underlay.
#pragma once

#include "base/ipv4.hpp"

namespace shamon {

/// The MTU of the interface that has `address`, kMtuMin..kMtuMax; 1500 if it cannot be told.
std::uint16_t interface_mtu(IpAddress const& address);

}  // namespace shamon
