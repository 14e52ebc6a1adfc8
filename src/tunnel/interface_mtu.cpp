#include "tunnel/interface_mtu.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <sys/ioctl.h>

#include "base/fd.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

std::uint16_t interface_mtu(Ipv4 address) {
  UniqueFd const socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint16_t result = 1500;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return result;
  for (ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in found{};
    std::memcpy(&found, at->ifa_addr, sizeof found);
    if (ntohl(found.sin_addr.s_addr) != address.bits) continue;
    ifreq request{};
    std::strncpy(request.ifr_name, at->ifa_name, sizeof request.ifr_name - 1);
    if (::ioctl(socket.get(), SIOCGIFMTU, &request) == 0 && request.ifr_mtu >= kMtuMin) {
      result = static_cast<std::uint16_t>(std::min<int>(request.ifr_mtu, kMtuMax));
    }
  }
  ::freeifaddrs(list);
  return result;
}

}  // namespace shamon
