// Runs in a guest whose kernel is an IPsec end, linked without any library the guest lacks.
//
//   esp_in_udp ESP-PORT ECHO-PORT
//
// The kernel takes ESP out of UDP only for a socket that says so (RFC 3948; Linux: UDP_ENCAP),
// which an IKE daemon would hold open. This holds it, for both IP versions, and sends every
// datagram that comes to ECHO-PORT back.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

[[noreturn]] void die(char const* what) {
  std::fprintf(stderr, "esp_in_udp: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// A UDP socket on every address of the version.
int open_port(int family, std::uint16_t port) {
  int const fd = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  int const only = 1;
  bool const is_v6 = family == AF_INET6;
  if (is_v6 && ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) {
    die("IPV6_V6ONLY");
  }
  auto const* address =
      is_v6 ? reinterpret_cast<sockaddr const*>(&v6) : reinterpret_cast<sockaddr const*>(&v4);
  if (::bind(fd, address, is_v6 ? sizeof v6 : sizeof v4) != 0) die("bind");
  return fd;
}

void take_esp(int family, std::uint16_t port) {
  int const kind = UDP_ENCAP_ESPINUDP;
  if (::setsockopt(open_port(family, port), IPPROTO_UDP, UDP_ENCAP, &kind, sizeof kind) != 0) {
    die("UDP_ENCAP");
  }
}

std::uint16_t to_port(char const* text) {
  long const number = std::strtol(text, nullptr, 10);
  if (number > 0 && number <= 0xffff) return static_cast<std::uint16_t>(number);
  std::fprintf(stderr, "esp_in_udp: %s is no port\n", text);
  std::exit(2);
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: esp_in_udp ESP-PORT ECHO-PORT\n");
    return 2;
  }
  take_esp(AF_INET, to_port(words[1]));
  take_esp(AF_INET6, to_port(words[1]));
  int const echo = open_port(AF_INET, to_port(words[2]));
  static std::uint8_t data[65536];
  for (;;) {
    sockaddr_storage from{};
    socklen_t from_bytes = sizeof from;
    ssize_t const bytes =
        ::recvfrom(echo, data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &from_bytes);
    if (bytes < 0 && errno != EINTR) die("recvfrom");
    // What cannot be sent is lost, as on any network: who waits for it notices.
    if (bytes >= 0) {
      (void)::sendto(echo, data, static_cast<std::size_t>(bytes), 0,
                     reinterpret_cast<sockaddr const*>(&from), from_bytes);
    }
  }
}
