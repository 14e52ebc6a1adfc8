// The limit of any switch in user space: two TAPs, each in a namespace, and this process that moves
// every frame from one to the other as it is, with the kernel's offloads but without one look at
// it. Prints "ready", ends with its standard input.  usage: tap_wire NAMESPACE_A NAMESPACE_B
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.hpp"

namespace {

using shamon::UniqueFd;

constexpr int kFramesPerTurn = 64;  ///< as the gate has it

/// A TAP called vm0 in that namespace; this process is there afterwards.
UniqueFd tap_in(std::string const& ns) {
  UniqueFd const there(::open(("/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC));
  if (!there || ::setns(there.get(), CLONE_NEWNET) != 0) return {};
  UniqueFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  ifreq request{};
  std::strcpy(request.ifr_name, "vm0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (!tap || ::ioctl(tap.get(), TUNSETIFF, &request) != 0) return {};
  // The offloads the gate asks for too; TUN_F_USO needs Linux 6.2 and is no part of a TCP stream.
  if (::ioctl(tap.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) return {};
  return tap;
}

void move_frames(int from, int to, std::vector<char>& memory) {
  for (int i = 0; i < kFramesPerTurn; ++i) {
    ssize_t const got = ::read(from, memory.data(), memory.size());
    if (got <= 0) return;
    // A full TAP drops, as a wire does.
    if (::write(to, memory.data(), static_cast<std::size_t>(got)) < 0 && errno != EAGAIN) return;
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fputs("usage: tap_wire NAMESPACE_A NAMESPACE_B\n", stderr);
    return 2;
  }
  UniqueFd const a = tap_in(words[1]);
  UniqueFd const b = tap_in(words[2]);
  if (!a || !b) {
    std::perror("tap_wire: a TAP in each namespace");
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  std::vector<char> memory(1 << 17);
  std::array<pollfd, 3> wait{pollfd{a.get(), POLLIN, 0}, pollfd{b.get(), POLLIN, 0},
                             pollfd{0, POLLIN, 0}};
  while (::poll(wait.data(), wait.size(), -1) >= 0 || errno == EINTR) {
    if (wait[2].revents != 0) return 0;
    if (wait[0].revents != 0) move_frames(a.get(), b.get(), memory);
    if (wait[1].revents != 0) move_frames(b.get(), a.get(), memory);
  }
  return 1;
}
