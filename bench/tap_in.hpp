// A TAP as a gate gets it, for programs that move frames without looking at them.
#pragma once

#include <cstring>
#include <string>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

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

}  // namespace shamon::bench
