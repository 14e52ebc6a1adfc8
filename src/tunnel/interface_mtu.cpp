#include "tunnel/interface_mtu.hpp"

#include <algorithm>
#include <cstring>

#include <ifaddrs.h>
#include <linux/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "base/fd.hpp"
#include "base/socket_address.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

std::uint16_t interface_mtu(IpAddress const& address) {
  UniqueFd const socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint16_t result = 1500;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return result;
  for (ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    int const family = at->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    SocketAddress found;
    std::memcpy(&found.storage, at->ifa_addr,
                family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (found.endpoint().address != address) continue;
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
