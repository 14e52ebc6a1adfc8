// A TAP device made for one VM: Ethernet frames with a virtio-net header in front
// (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), so that one read or write moves up to 64 KB.
#pragma once

#include "tunnel/port_driver.hpp"

namespace shamon {

/// Errors: `invalid` if the descriptor is not such a TAP; `system`.
Result<std::unique_ptr<PortDriver>> make_tap_port(UniqueFd descriptor);

/// Creates the TAP `name` in the caller's network namespace, for whoever hands ports to the gate.
/// Needs CAP_NET_ADMIN. The device exists as long as its descriptor is open.
Result<UniqueFd> create_tap(std::string const& name);

}  // namespace shamon
