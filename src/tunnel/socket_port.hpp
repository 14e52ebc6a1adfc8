// A UNIX socket with a hypervisor's network back end at the other end (QEMU -netdev dgram and
// -netdev stream): plain Ethernet frames, no offloads. One worker reads, all may write.
#pragma once

#include "tunnel/port_driver.hpp"

namespace shamon {

/// One frame a datagram; SOCK_DGRAM, or SOCK_SEQPACKET, which tells its end. Without `receives` the
/// driver only writes.
std::unique_ptr<PortDriver> make_datagram_port(UniqueFd descriptor, bool sequenced,
                                               bool receives = true);
/// SOCK_STREAM: u32be length, then the frame. One driver for each worker; the first reads.
PortDrivers make_stream_ports(UniqueFd descriptor, unsigned workers);

}  // namespace shamon
