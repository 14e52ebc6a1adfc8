// For programs that move frames without looking at them: a TAP as a gate gets it, and the moving.
#pragma once

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

namespace shamon::bench {

/// This thread is in that namespace afterwards.
inline bool enter_namespace(std::string const& ns) {
  UniqueFd const there(::open(("/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC));
  return there && ::setns(there.get(), CLONE_NEWNET) == 0;
}

/// A TAP called vm0 in that namespace, where this thread is afterwards; errno says why not.
inline UniqueFd tap_in(std::string const& ns) {
  if (!enter_namespace(ns)) return {};
  UniqueFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  ifreq request{};
  std::strcpy(request.ifr_name, "vm0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (!tap || ::ioctl(tap.get(), TUNSETIFF, &request) != 0) return {};
  // The offloads the gate asks for too; TUN_F_USO needs Linux 6.2 and is no part of a TCP stream.
  if (::ioctl(tap.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) return {};
  return tap;
}

inline void move_frames(int from, int to, std::vector<char>& memory) {
  constexpr int kFramesPerTurn = 64;  // as the gate has it
  for (int i = 0; i < kFramesPerTurn; ++i) {
    ssize_t const got = ::read(from, memory.data(), memory.size());
    if (got <= 0) return;
    // What is full drops, as a wire does.
    if (::write(to, memory.data(), static_cast<std::size_t>(got)) < 0 && errno != EAGAIN) return;
  }
}

/// Says "ready", then moves frames both ways until standard input ends; the program's status.
inline int carry(UniqueFd const& a, UniqueFd const& b) {
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

}  // namespace shamon::bench
