// A TAP device made for one VM: Ethernet frames with a virtio-net header in front
// (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), so that one read or write moves up to 64 KB. With
// IFF_MULTI_QUEUE each worker has a queue; the kernel keeps a flow in the queue that answered it
// last.
#pragma once

#include "tunnel/port_driver.hpp"

namespace shamon {

/// `queue` was checked by open_port. Without `receives` the driver only writes.
std::unique_ptr<PortDriver> make_tap_port(UniqueFd queue, bool receives);

}  // namespace shamon
