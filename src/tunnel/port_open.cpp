// Descriptors of the host monitor become port drivers: each is what the command says, or refused.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tunnel/socket_port.hpp"
#include "tunnel/tap/tap_port.hpp"
#include "tunnel/vhost_user/vhost_user_port.hpp"

namespace shamon {

namespace {

// Newer than Debian 12's kernel headers: super-packets of UDP (Linux 6.2).
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

Status prepare_tap(UniqueFd const& descriptor) {
  ifreq request{};
  if (::ioctl(descriptor.get(), TUNGETIFF, &request) != 0) {
    return fail(Errc::invalid, "not an attached TAP");
  }
  short const wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if ((request.ifr_flags & wanted) != wanted) {
    return fail(Errc::invalid, "not a TAP with virtio-net headers and without packet information");
  }
  int vnet_bytes = 0;
  if (::ioctl(descriptor.get(), TUNGETVNETHDRSZ, &vnet_bytes) != 0 ||
      vnet_bytes != static_cast<int>(kVnetHeaderBytes)) {
    return fail(Errc::invalid, "the TAP's virtio-net header has another size");
  }
  unsigned long const tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // Both USO flags stand or fall together in the kernel. Without them UDP comes packet by packet.
  if (::ioctl(descriptor.get(), TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) != 0 &&
      ::ioctl(descriptor.get(), TUNSETOFFLOAD, tcp) != 0) {
    return fail_errno("TUNSETOFFLOAD");
  }
  return {};
}

Result<int> unix_socket_type(int fd) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return fail(Errc::invalid, "not a socket");
  }
  if (domain != AF_UNIX) return fail(Errc::invalid, "not a UNIX socket");
  return type;
}

Result<UniqueFd> duplicate(UniqueFd const& descriptor) {
  UniqueFd copy(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("copy port descriptor");
  return copy;
}

/// The kernel gives packets to attached queues only, also to those that nobody reads: whoever made
/// them may keep them open. A TAP of one queue has nothing to attach.
void use_queue(UniqueFd const& queue, bool used) noexcept {
  ifreq request{};
  request.ifr_flags = used ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
  (void)::ioctl(queue.get(), TUNSETQUEUE, &request);
}

/// A queue for each worker; where there are fewer, the others write to one of those. Queues beyond
/// are detached.
Result<PortDrivers> open_tap(std::vector<UniqueFd> queues, unsigned workers) {
  PortDrivers result;
  for (std::size_t i = 0; i < queues.size(); ++i) {
    use_queue(queues[i], true);
    if (Status ready = prepare_tap(queues[i]); !ready) return pass(ready);
    if (i >= workers) use_queue(queues[i], false);
  }
  for (unsigned i = 0; i < workers; ++i) {
    Result<UniqueFd> queue = duplicate(queues[i % queues.size()]);
    if (!queue) return pass(queue);
    result.push_back(make_tap_port(*std::move(queue), i < queues.size()));
  }
  return result;
}

Result<PortDrivers> open_datagram(UniqueFd descriptor, unsigned workers) {
  Result<int> const type = unix_socket_type(descriptor.get());
  if (!type) return pass(type);
  if (*type != SOCK_DGRAM && *type != SOCK_SEQPACKET) {
    return fail(Errc::invalid, "a datagram port needs a datagram socket");
  }
  PortDrivers result;
  for (unsigned i = 0; i < workers; ++i) {
    Result<UniqueFd> copy = duplicate(descriptor);
    if (!copy) return pass(copy);
    result.push_back(make_datagram_port(*std::move(copy), *type == SOCK_SEQPACKET, i == 0));
  }
  return result;
}

Result<PortDrivers> open_stream(UniqueFd descriptor, unsigned workers) {
  Result<int> const type = unix_socket_type(descriptor.get());
  if (!type) return pass(type);
  if (*type != SOCK_STREAM) return fail(Errc::invalid, "a stream port needs a stream socket");
  return make_stream_ports(std::move(descriptor), workers);
}

}  // namespace

Result<PortDrivers> open_port(gate::PortKind kind, std::vector<UniqueFd> descriptors,
                              unsigned workers) {
  if (descriptors.empty()) return fail(Errc::invalid, "no descriptor came with the port");
  for (UniqueFd const& descriptor : descriptors) {
    int const flags = ::fcntl(descriptor.get(), F_GETFL);
    if (flags < 0 || ::fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
      return fail_errno("set port descriptor non-blocking");
    }
  }
  if (kind == gate::PortKind::tap) return open_tap(std::move(descriptors), workers);
  if (descriptors.size() != 1) return fail(Errc::invalid, "only a TAP has more than one queue");
  switch (kind) {
    case gate::PortKind::datagram: return open_datagram(std::move(descriptors[0]), workers);
    case gate::PortKind::stream: return open_stream(std::move(descriptors[0]), workers);
    case gate::PortKind::vhost_user:
      return make_vhost_user_ports(std::move(descriptors[0]), workers);
    case gate::PortKind::tap: break;
  }
  return fail(Errc::unsupported, "unknown kind of port");
}

}  // namespace shamon
