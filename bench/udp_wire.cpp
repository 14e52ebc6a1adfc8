// The limit of any tunnel in user space that has TAPs and UDP: one end of a tunnel that does not
// look at what it carries. A super-packet of the TAP leaves as one run of datagrams (UDP_SEGMENT),
// arrives as one (UDP_GRO) and is written as it is: no encryption, no headers, no checksums.
// Prints "ready", ends with its standard input.
// usage: udp_wire MACHINE_NAMESPACE VM_NAMESPACE PEER_ADDRESS
#include <cstdint>
#include <cstdio>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "wire.hpp"

namespace {

using shamon::UniqueFd;

constexpr int kSocketBytes = 4 << 20;  ///< as the gate asks for
constexpr std::uint16_t kPort = 4500;
constexpr std::uint16_t kDatagramBytes = 1472;  ///< in a packet of 1500

UniqueFd socket_to(char const* peer) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  auto const* const generic = reinterpret_cast<sockaddr const*>(&address);
  int const on = 1, segment = kDatagramBytes;
  auto const set = [&](int level, int option, int const& value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
  };
  bool const ready = fd && ::bind(fd.get(), generic, sizeof address) == 0 &&
                     ::inet_pton(AF_INET, peer, &address.sin_addr) == 1 &&
                     ::connect(fd.get(), generic, sizeof address) == 0 &&
                     set(IPPROTO_UDP, UDP_GRO, on) && set(IPPROTO_UDP, UDP_SEGMENT, segment) &&
                     set(SOL_SOCKET, SO_SNDBUFFORCE, kSocketBytes) &&
                     set(SOL_SOCKET, SO_RCVBUFFORCE, kSocketBytes);
  if (!ready) return {};
  return fd;
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fputs("usage: udp_wire MACHINE_NAMESPACE VM_NAMESPACE PEER_ADDRESS\n", stderr);
    return 2;
  }
  if (!shamon::bench::enter_namespace(words[1])) return std::perror(words[1]), 1;
  UniqueFd const wire = socket_to(words[3]);
  if (!wire) return std::perror("udp_wire: socket"), 1;
  UniqueFd const tap = shamon::bench::tap_in(words[2]);
  if (!tap) return std::perror("udp_wire: TAP"), 1;
  return shamon::bench::carry(wire, tap);
}
