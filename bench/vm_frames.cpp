// Two VMs of one machine as their hypervisors show them to a switch: one sends super-frames of a
// TCP flow from its memory as fast as they are taken, the other takes what arrives. No guest and no
// TCP runs, so the figure is that of the switch and the cards alone.
//
//   vm_frames tap   TAP_A TAP_B         persistent TAPs, ports of a bridge
//   vm_frames vhost SOCKET_A SOCKET_B   vhost-user cards of the gate
//
// Both ways frames leave from, and arrive in, 128 buffers in turn, so that the caches see the same.
// The VMs are 10.77.0.1 and .2, 02:00:0a:4d:00:01 and :02.  usage: … [--seconds N]
#include <algorithm>
#include <atomic>
#include <span>
#include <thread>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/un.h>

#include "base/byte_writer.hpp"
#include "bench_program.hpp"
#include "tunnel/packet_fixture.hpp"
#include "tunnel/vhost_user/driver_fixture.hpp"
#include "tunnel/vhost_user/features.hpp"
#include "tunnel/vhost_user/message.hpp"

namespace {

using namespace shamon;
using namespace shamon::bench;
using vhost_user::Request;

constexpr std::uint16_t kBuffers = 128;
constexpr std::size_t kBufferBytes = 0x11000;
constexpr std::size_t kPayloadBytes = 63'000, kSegmentBytes = 1368;

/// struct virtio_net_hdr_v1, Ethernet, IPv4, TCP: what a guest's stack hands to its card.
Bytes super_frame() {
  test::PacketSpec spec;
  spec.payload_bytes = kPayloadBytes;
  Bytes const packet = test::make_packet(spec);
  constexpr std::uint8_t kNeedsChecksum = 1, kTcpIpv4 = 1, kHeaderBytes = 54, kTcpAt = 34;
  Bytes frame{kNeedsChecksum,
              kTcpIpv4,
              kHeaderBytes,
              0,
              kSegmentBytes & 0xff,
              kSegmentBytes >> 8,
              kTcpAt,
              0,
              16,
              0,
              0,
              0};
  append(frame, Bytes{2, 0, 10, 77, 0, 2, 2, 0, 10, 77, 0, 1, 8, 0});
  append(frame, packet);
  return frame;
}

bool wait_readable(int fd, int ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, ms) == 1;
}

/// What a TCP window is to a stream: frames under way, which neither a TAP nor a ring then drops.
constexpr std::uint64_t kWindow = 64;

struct Count {
  std::atomic<std::uint64_t> received_bytes = 0;
  std::atomic<std::uint64_t> received = 0;
  std::atomic<bool> ended = false;

  void arrived(std::size_t bytes) {
    received_bytes += bytes;
    ++received;
    received.notify_one();
  }
  /// Waits until the frame `number` may leave.
  void wait_for_window(std::uint64_t number) {
    std::uint64_t seen = received;
    while (number >= seen + kWindow && !ended) {
      received.wait(seen);
      seen = received;
    }
  }
  void end() {
    ended = true;
    ++received;  // so that a sender that waits sees a change
    received.notify_all();
  }
};

// --- TAPs --------------------------------------------------------------------------------------

UniqueFd open_tap(std::string const& name) {
  UniqueFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  int const header_bytes = vhost_user::kNetHeaderBytes;
  must(tap && ::ioctl(tap.get(), TUNSETIFF, &request) == 0 &&
           ::ioctl(tap.get(), TUNSETVNETHDRSZ, &header_bytes) == 0 &&
           ::ioctl(tap.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) == 0,
       "TAP");
  return tap;
}

void send_to_tap(int tap, Count& count) {
  Bytes const frame = super_frame();
  std::vector<Bytes> memory(kBuffers, frame);
  for (std::uint64_t number = 0; !count.ended; ++number) {
    count.wait_for_window(number);
    must(::write(tap, memory[number % kBuffers].data(), frame.size()) > 0, "write to a TAP");
  }
}

void receive_from_tap(int tap, Count& count) {
  std::vector<Bytes> memory(kBuffers, Bytes(kBufferBytes));
  for (std::size_t i = 0; !count.ended; i = (i + 1) % kBuffers) {
    ssize_t const got = ::read(tap, memory[i].data(), kBufferBytes);
    if (got > static_cast<ssize_t>(kPayloadBytes)) {
      count.arrived(static_cast<std::size_t>(got));
    } else if (got < 0) {
      (void)wait_readable(tap, 100);
    }
  }
}

// --- vhost-user --------------------------------------------------------------------------------

/// One VM with one pair of rings; only the ring of `direction` has buffers.
class Card {
 public:
  enum Direction : std::uint32_t { to_guest = 0, from_guest = 1 };

  Card(std::string const& path, Direction direction)
      : direction_(direction),
        memory_(kBuffersAt + kBuffers * kBufferBytes),
        socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    must(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
         path.c_str());
    for (std::uint16_t i = 0; i < kBuffers; ++i) describe(i);
    negotiate();
  }

  std::uint8_t* buffer(std::uint16_t i) {
    return memory_.data + kBuffersAt + std::size_t{i} * kBufferBytes;
  }
  void offer(std::uint16_t i, std::size_t bytes) {
    memory_.poke(ring() + 16u * i + 8, static_cast<std::uint32_t>(bytes));
    memory_.poke(ring() + kAvailable + 4 + 2u * (offered_ % kBuffers), i);
    vhost_user::store_release<std::uint16_t>(memory_.data + ring() + kAvailable + 2, ++offered_);
  }
  /// Tells the gate, unless it does not want to be told.
  void kick() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if ((memory_.peek<std::uint16_t>(ring() + kUsed) & 1) != 0) return;
    std::uint64_t const one = 1;
    must(::write(kick_[direction_].get(), &one, sizeof one) == sizeof one, "kick");
  }
  /// A buffer the gate is done with and how much it wrote; none after 100 ms without one.
  std::optional<std::pair<std::uint16_t, std::uint32_t>> collect() {
    if (used_index() == collected_) {
      if (!wait_readable(call_[direction_].get(), 100)) return std::nullopt;
      std::uint64_t calls = 0;
      (void)!::read(call_[direction_].get(), &calls, sizeof calls);
      if (used_index() == collected_) return std::nullopt;
    }
    std::size_t const at = ring() + kUsed + 4 + 8u * (collected_++ % kBuffers);
    return std::pair(static_cast<std::uint16_t>(memory_.peek<std::uint32_t>(at)),
                     memory_.peek<std::uint32_t>(at + 4));
  }

 private:
  static constexpr std::size_t kAvailable = 0x4000, kUsed = 0x8000, kRingBytes = 0x10000,
                               kBuffersAt = 2 * kRingBytes;

  std::size_t ring() const { return direction_ * kRingBytes; }
  std::uint16_t used_index() const {
    return vhost_user::load_acquire<std::uint16_t>(memory_.data + ring() + kUsed + 2);
  }
  void describe(std::uint16_t i) {
    memory_.poke(ring() + 16u * i, vhost_user::test::kGuestBase + kBuffersAt + i * kBufferBytes);
    memory_.poke<std::uint16_t>(ring() + 16u * i + 12, direction_ == to_guest ? 2 : 0);
  }

  void negotiate() {
    using namespace vhost_user;
    send(Request::set_owner, {});
    number(Request::set_features,
           kVersion1 | kProtocolFeatures | kNetCsum | kNetGuestCsum | kNetGuestTso4 | kNetHostTso4);
    ByteWriter table;
    table.u32le(1).u32le(0).u64le(vhost_user::test::kGuestBase).u64le(memory_.size);
    table.u64le(vhost_user::test::kUserBase).u64le(0);
    send(Request::set_mem_table, table.view(), memory_.fd.get());
    for (std::uint32_t queue : {0u, 1u}) start(queue);
    for (std::uint32_t queue : {0u, 1u}) state(Request::set_vring_enable, queue, 1);
  }
  void start(std::uint32_t queue) {
    state(Request::set_vring_num, queue, kBuffers);
    state(Request::set_vring_base, queue, 0);
    std::uint64_t const at = vhost_user::test::kUserBase + queue * kRingBytes;
    ByteWriter addresses;
    addresses.u32le(queue).u32le(0).u64le(at).u64le(at + kUsed).u64le(at + kAvailable).u64le(0);
    send(Request::set_vring_addr, addresses.view());
    number(Request::set_vring_call, queue, call_[queue].get());
    number(Request::set_vring_kick, queue, kick_[queue].get());
  }
  void number(Request request, std::uint64_t value, int fd = -1) {
    ByteWriter out;
    out.u64le(value);
    send(request, out.view(), fd);
  }
  void state(Request request, std::uint32_t queue, std::uint32_t value) {
    number(request, std::uint64_t{value} << 32 | queue);
  }
  void send(Request request, Bytes const& payload, int fd = -1) {
    ByteWriter head;
    head.u32le(static_cast<std::uint32_t>(request)).u32le(1);
    head.u32le(static_cast<std::uint32_t>(payload.size())).bytes(payload);
    Bytes all = std::move(head).take();
    iovec part{all.data(), all.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (fd >= 0) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* const c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    must(::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(all.size()),
         "the gate's vhost-user socket");
  }

  Direction direction_;
  vhost_user::test::SharedMemory memory_;
  UniqueFd socket_;
  std::array<UniqueFd, 2> kick_{UniqueFd(::eventfd(0, EFD_NONBLOCK)),
                                UniqueFd(::eventfd(0, EFD_NONBLOCK))};
  std::array<UniqueFd, 2> call_{UniqueFd(::eventfd(0, EFD_NONBLOCK)),
                                UniqueFd(::eventfd(0, EFD_NONBLOCK))};
  std::uint16_t offered_ = 0, collected_ = 0;
};

void send_from_card(Card& card, Count& count) {
  Bytes const frame = super_frame();
  for (std::uint16_t i = 0; i < kBuffers; ++i) {
    std::copy(frame.begin(), frame.end(), card.buffer(i));
  }
  for (std::uint64_t number = 0; !count.ended; ++number) {
    count.wait_for_window(number);
    std::optional<std::pair<std::uint16_t, std::uint32_t>> free{
        {static_cast<std::uint16_t>(number), 0}};
    if (number >= kBuffers) free = card.collect();
    must(free.has_value() || count.ended, "a buffer from the gate");
    if (!free) return;
    card.offer(free->first, frame.size());
    card.kick();
  }
}

void receive_on_card(Card& card, Count& count) {
  for (std::uint16_t i = 0; i < kBuffers; ++i) card.offer(i, kBufferBytes);
  while (!count.ended) {
    auto const got = card.collect();
    if (!got) continue;
    count.arrived(got->second);
    card.offer(got->first, kBufferBytes);
  }
}

// --- the run -----------------------------------------------------------------------------------

void report(Count& count, double seconds, double before) {
  std::uint64_t const bytes = count.received_bytes;
  std::printf("{\"gbit_per_s\":%.3f,\"received_bytes\":%llu,\"own_cpu_s\":%.3f}\n",
              8e-9 * static_cast<double>(bytes) / seconds, static_cast<unsigned long long>(bytes),
              cpu_seconds() - before);
}

template <class Send, class Receive>
void run(double seconds, Send&& send, Receive&& receive) {
  Count count;
  double const before = cpu_seconds();
  auto const start = Clock::now();
  std::thread receiver([&] { receive(count); });
  std::thread sender([&] { send(count); });
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  count.end();
  sender.join();
  receiver.join();
  report(count, seconds_since(start), before);
}

}  // namespace

int main(int words_count, char** words) {
  try {
    std::string const verb = words_count > 1 ? words[1] : "";
    Options const options(words_count, words);
    double const seconds = options.get("seconds", 2);
    if (verb == "tap") {
      UniqueFd const a = open_tap(options.operand(0)), b = open_tap(options.operand(1));
      // The bridge forwards once it has seen the carriers.
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      run(
          seconds, [&](Count& count) { send_to_tap(a.get(), count); },
          [&](Count& count) { receive_from_tap(b.get(), count); });
      return 0;
    }
    if (verb == "vhost") {
      Card a(options.operand(0), Card::from_guest), b(options.operand(1), Card::to_guest);
      run(
          seconds, [&](Count& count) { send_from_card(a, count); },
          [&](Count& count) { receive_on_card(b, count); });
      return 0;
    }
    std::fputs("usage: vm_frames tap|vhost A B [--seconds N], see the head of its source\n",
               stderr);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "vm_frames: %s\n", e.what());
  }
  return 2;
}
