#include "tunnel/underlay.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>

namespace shamon {

namespace {

constexpr int kSocketBufferBytes = 4 << 20;
constexpr std::size_t kReceiveBytes = 65536;

void set_option(int fd, int level, int option, int value) noexcept {
  // Every one of these only makes things faster; without it the socket works too.
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

sockaddr_in to_sockaddr(Endpoint endpoint) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  address.sin_addr.s_addr = htonl(endpoint.address.bits);
  return address;
}

}  // namespace

struct Underlay::Buffers {
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kUnderlayReceives * kReceiveBytes);
  std::array<mmsghdr, kUnderlayReceives> messages{};
  std::array<iovec, kUnderlayReceives> vectors{};
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(int))> bytes;
  };
  std::array<Control, kUnderlayReceives> controls{};
  std::array<Run, kUnderlayReceives> runs{};
};

Underlay::Underlay(UniqueFd fd) : fd_(std::move(fd)), buffers_(std::make_unique<Buffers>()) {}
Underlay::Underlay(Underlay&&) noexcept = default;
Underlay& Underlay::operator=(Underlay&&) noexcept = default;
Underlay::~Underlay() = default;

Result<Underlay> Underlay::bind(Endpoint local) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("underlay socket");
  sockaddr_in const address = to_sockaddr(local);
  if (::bind(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
    return fail_errno("bind " + to_string(local.address) + " UDP " + std::to_string(local.port));
  }
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kSocketBufferBytes);
  set_option(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, kSocketBufferBytes);
  set_option(fd.get(), SOL_UDP, UDP_GRO, 1);
  // The outer packet is never fragmented: a fragment would lose its whole datagram with it.
  set_option(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  return Underlay(std::move(fd));
}

bool Underlay::send(Endpoint peer, std::span<std::uint8_t> bytes,
                    std::size_t segment_bytes) noexcept {
  sockaddr_in address = to_sockaddr(peer);
  iovec vector{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  if (bytes.size() > segment_bytes) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    auto const size = static_cast<std::uint16_t>(segment_bytes);
    std::memcpy(CMSG_DATA(header), &size, sizeof size);
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) return true;
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) return false;
    // A full socket empties within microseconds. Waiting here holds the ports back, which is what
    // their senders' congestion control can see; dropping 64 packets is not.
    pollfd ready{fd_.get(), POLLOUT, 0};
    (void)::poll(&ready, 1, 1);
  }
  return false;
}

std::span<Underlay::Run const> Underlay::receive() noexcept {
  Buffers& b = *buffers_;
  for (std::size_t i = 0; i < kUnderlayReceives; ++i) {
    b.vectors[i] = {&b.memory[i * kReceiveBytes], kReceiveBytes};
    msghdr& header = b.messages[i].msg_hdr;
    header = {};
    header.msg_iov = &b.vectors[i];
    header.msg_iovlen = 1;
    header.msg_control = b.controls[i].bytes.data();
    header.msg_controllen = b.controls[i].bytes.size();
  }
  int const got =
      ::recvmmsg(fd_.get(), b.messages.data(), kUnderlayReceives, MSG_DONTWAIT, nullptr);
  // An error on a UDP socket is a late ICMP about something sent; there is nothing to do.
  if (got <= 0) return {};
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    std::size_t const bytes = b.messages[i].msg_len;
    b.runs[i] = {{&b.memory[i * kReceiveBytes], bytes}, bytes};
    msghdr& header = b.messages[i].msg_hdr;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
      int size = 0;
      std::memcpy(&size, CMSG_DATA(c), sizeof size);
      if (size > 0) b.runs[i].segment_bytes = static_cast<std::size_t>(size);
    }
  }
  return std::span<Run const>(b.runs).first(static_cast<std::size_t>(got));
}

}  // namespace shamon
