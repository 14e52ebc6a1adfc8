#include "tunnel/underlay.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

namespace shamon {

namespace {

constexpr std::size_t kReceiveBytes = 65536;
/// Two integers: the size of a run's datagrams, and the class of its packets.
constexpr std::size_t kControlBytes = 2 * CMSG_SPACE(sizeof(int));

template <class F>
void for_each_control(msghdr& message, F&& f) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) f(*c);
}

template <class T>
T read_control(cmsghdr const& control) noexcept {
  T value{};
  std::memcpy(&value, CMSG_DATA(&control), sizeof value);
  return value;
}

template <class T>
cmsghdr* add_control(msghdr& message, cmsghdr* at, int level, int type, T value) noexcept {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(at), &value, sizeof value);
  message.msg_controllen += CMSG_SPACE(sizeof value);
  auto* next = reinterpret_cast<std::uint8_t*>(at) + CMSG_SPACE(sizeof value);
  return reinterpret_cast<cmsghdr*>(next);
}

}  // namespace

struct Underlay::Buffers {
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kUnderlayReceives * kReceiveBytes);
  std::array<mmsghdr, kUnderlayReceives> messages{};
  std::array<iovec, kUnderlayReceives> vectors{};
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, kControlBytes> bytes;
  };
  std::array<Control, kUnderlayReceives> controls{};
  std::array<Run, kUnderlayReceives> runs{};
};

Underlay::Underlay(UniqueFd fd, UniqueFd sender)
    : fd_(std::move(fd)), sender_(std::move(sender)), buffers_(std::make_unique<Buffers>()) {}
Underlay::Underlay(Underlay&&) noexcept = default;
Underlay& Underlay::operator=(Underlay&&) noexcept = default;
Underlay::~Underlay() = default;

Underlay::Sent Underlay::send(Endpoint const& peer, Run const& run) noexcept {
  SocketAddress address(peer);
  iovec vector{run.bytes.data(), run.bytes.size()};
  alignas(cmsghdr) std::array<std::uint8_t, kControlBytes> control{};
  msghdr message{};
  message.msg_name = address.get();
  message.msg_namelen = address.size;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  auto* at = reinterpret_cast<cmsghdr*>(control.data());
  if (run.bytes.size() > run.segment_bytes) {
    at = add_control(message, at, SOL_UDP, UDP_SEGMENT,
                     static_cast<std::uint16_t>(run.segment_bytes));
  }
  if (run.traffic_class != 0) {
    bool const v4 = address.family() == AF_INET;
    add_control(message, at, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
                int{run.traffic_class});
  }
  if (message.msg_controllen != 0) message.msg_control = control.data();
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (::sendmsg(sender(), &message, MSG_NOSIGNAL) >= 0) return {true, 0};
    if (std::uint16_t const mtu = take_path_mtu(); mtu != 0) return {false, mtu};
    // A run that is too big for the way says no more than that; one datagram of it tells the MTU.
    if ((errno == EINVAL || errno == EMSGSIZE) && run.bytes.size() > run.segment_bytes) {
      Run const one{run.bytes.first(run.segment_bytes), run.segment_bytes, run.traffic_class};
      return {false, send(peer, one).path_mtu};
    }
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS && attempt > 0) break;
    // A full socket empties within microseconds. Waiting here holds the ports back, which is what
    // their senders' congestion control can see; dropping 64 packets is not.
    pollfd ready{sender(), POLLOUT, 0};
    (void)::poll(&ready, 1, 1);
  }
  return {};
}

std::uint16_t Underlay::take_path_mtu() noexcept {
  int const failed = errno;
  std::uint16_t mtu = 0;
  for (;;) {
    alignas(cmsghdr) std::array<std::uint8_t, 512> control{};
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(sender(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    for_each_control(message, [&](cmsghdr const& c) {
      bool const error = (c.cmsg_level == IPPROTO_IP && c.cmsg_type == IP_RECVERR) ||
                         (c.cmsg_level == IPPROTO_IPV6 && c.cmsg_type == IPV6_RECVERR);
      if (!error) return;
      auto const told = read_control<sock_extended_err>(c);
      if (told.ee_errno == EMSGSIZE && told.ee_info <= kMtuMax && told.ee_info >= kMtuMin) {
        mtu = static_cast<std::uint16_t>(told.ee_info);
      }
    });
  }
  errno = failed;
  return mtu;
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
  // An error here is a late ICMP about something sent.
  if (got <= 0) return (void)take_path_mtu(), std::span<Run const>{};
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    std::size_t const bytes = b.messages[i].msg_len;
    Run& run = b.runs[i];
    run = {{&b.memory[i * kReceiveBytes], bytes}, bytes, 0};
    for_each_control(b.messages[i].msg_hdr, [&](cmsghdr const& c) {
      if (c.cmsg_level == SOL_UDP && c.cmsg_type == UDP_GRO) {
        int const size = read_control<int>(c);
        if (size > 0) run.segment_bytes = static_cast<std::size_t>(size);
      } else if (c.cmsg_level == IPPROTO_IP && c.cmsg_type == IP_TOS) {
        run.traffic_class = read_control<std::uint8_t>(c);
      } else if (c.cmsg_level == IPPROTO_IPV6 && c.cmsg_type == IPV6_TCLASS) {
        run.traffic_class = static_cast<std::uint8_t>(read_control<int>(c));
      }
    });
  }
  return std::span<Run const>(b.runs).first(static_cast<std::size_t>(got));
}

}  // namespace shamon
