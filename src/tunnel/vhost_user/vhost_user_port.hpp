// The gate as vhost-user back end of a VM's virtio-net (QEMU -netdev vhost-user): frames move
// between the guest's memory and the gate, with no socket in between.
#pragma once

#include <vector>

#include "tunnel/port_driver.hpp"

namespace shamon {

/// One driver for each pair of queues, all of one VM. `listener`: a listening UNIX stream socket
/// that only this VM's hypervisor can reach. A front end that goes is waited for again; one that
/// breaks the protocol, or a guest that breaks a ring, closes every driver, and fault() says why.
///
/// The drivers may have different owners: receive() belongs to a driver's owner, send() and
/// end_of_turn() to anyone. The first one's owner also handles the front end's messages.
/// Errors: `invalid` if it is no such socket or for a number of pairs outside 1..16; `system`.
Result<std::vector<std::unique_ptr<PortDriver>>> make_vhost_user_ports(UniqueFd listener,
                                                                       std::size_t queue_pairs);

}  // namespace shamon
