#include "config/service_manager.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.hpp"

namespace shamon {

void notify_service_manager(char const* state) {
  char const* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || std::strlen(path) >= sizeof(sockaddr_un{}.sun_path)) return;
  UniqueFd const socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  // A leading @ names an abstract socket.
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  (void)::sendto(socket.get(), state, std::strlen(state), MSG_NOSIGNAL,
                 reinterpret_cast<sockaddr const*>(&address), size);
}

void take_every_descriptor() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace shamon
