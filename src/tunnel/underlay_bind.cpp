// The start of the underlay: sockets, their options, and which worker gets which datagram.
#include <array>

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "base/ipv4_text.hpp"
#include "tunnel/underlay.hpp"

namespace shamon {

namespace {

constexpr int kSocketBufferBytes = 4 << 20;

void set_option(int fd, int level, int option, int value) noexcept {
  // Every one of these only makes things faster or tells more; without it the socket works too.
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

Result<UniqueFd> open_socket(Endpoint const& local) {
  SocketAddress const address(local);
  UniqueFd fd(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("underlay socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (::bind(fd.get(), address.get(), address.size) != 0) {
    return fail_errno("bind UDP " + to_string(local));
  }
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kSocketBufferBytes);
  set_option(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, kSocketBufferBytes);
  set_option(fd.get(), SOL_UDP, UDP_GRO, 1);
  // The outer packet is never fragmented: a fragment would lose its whole datagram with it. What is
  // too big for the way is told in the error queue.
  bool const v4 = local.address.is_ipv4();
  int const level = v4 ? int{IPPROTO_IP} : int{IPPROTO_IPV6};
  set_option(fd.get(), level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
             v4 ? IP_PMTUDISC_DO : IPV6_PMTUDISC_DO);
  set_option(fd.get(), level, v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  set_option(fd.get(), level, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
  return fd;
}

/// The kernel hands every datagram to the socket of the worker that holds its SA.
Status steer_by_spi(int fd, unsigned workers) {
  std::array<sock_filter, 4> code{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // the SPI; too short: the first worker
      sock_filter BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kLanesMax - 1),
      sock_filter BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
      sock_filter BPF_STMT(BPF_RET | BPF_A, 0)};
  sock_fprog const program{code.size(), code.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0) {
    return fail_errno("steer datagrams to workers");
  }
  return {};
}

}  // namespace

Result<std::vector<Underlay>> Underlay::bind(Endpoint const& local, unsigned workers) {
  std::vector<Underlay> result;
  for (unsigned i = 0; i < workers; ++i) {
    Result<UniqueFd> fd = open_socket(local);
    if (!fd) return pass(fd);
    UniqueFd sender;
    if (i != 0) {
      Result<UniqueFd> own = open_socket({local.address, 0});
      if (!own) return pass(own);
      sender = *std::move(own);
    }
    result.push_back(Underlay(*std::move(fd), std::move(sender)));
  }
  if (workers > 1) {
    if (Status steered = steer_by_spi(result[0].fd(), workers); !steered) return pass(steered);
  }
  return result;
}

}  // namespace shamon
