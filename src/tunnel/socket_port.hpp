// A UNIX socket with a hypervisor's network back end at the other end (QEMU -netdev dgram and
// -netdev stream): plain Ethernet frames, no offloads.
#pragma once

#include "tunnel/port_driver.hpp"

namespace shamon {

/// One frame a datagram. Errors: `invalid` if it is not a SOCK_DGRAM or SOCK_SEQPACKET UNIX socket.
Result<std::unique_ptr<PortDriver>> make_datagram_port(UniqueFd descriptor);
/// u32be length, then the frame. Errors: `invalid` if it is not a SOCK_STREAM UNIX socket.
Result<std::unique_ptr<PortDriver>> make_stream_port(UniqueFd descriptor);

}  // namespace shamon
