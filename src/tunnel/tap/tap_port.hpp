// A TAP device made for one VM: Ethernet frames with a virtio-net header in front
// (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), so that one read or write moves up to 64 KB.
#pragma once

#include "tunnel/port_driver.hpp"

namespace shamon {

/// Errors: `invalid` if the descriptor is not such a TAP; `system`.
Result<std::unique_ptr<PortDriver>> make_tap_port(UniqueFd descriptor);

}  // namespace shamon
