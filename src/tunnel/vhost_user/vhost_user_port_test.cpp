#include "tunnel/vhost_user/vhost_user_port.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/folder_fixture.hpp"
#include "tunnel/packet_fixture.hpp"
#include "tunnel/vhost_user/driver_fixture.hpp"
#include "tunnel/vhost_user/features.hpp"

namespace shamon::vhost_user {
namespace {

using Outcome = PortDriver::Outcome;
using test::Driver;
using test::SharedMemory;

constexpr std::uint64_t kPlain = kVersion1 | kProtocolFeatures;
constexpr std::uint64_t kOffloads =
    kPlain | kNetCsum | kNetGuestCsum | kNetGuestTso4 | kNetHostTso4 | kNetMergeableBuffers;
constexpr std::uint16_t kSize = 64;

/// The hypervisor's part, one queue pair; a memory for each ring keeps their drivers apart.
class VhostUserPortTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    address_.sun_family = AF_UNIX;
    (folder_ + "/s").copy(address_.sun_path, sizeof address_.sun_path - 1);
    ::unlink(address_.sun_path);
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(std::move(listener));
    auto ports = open_port(gate::PortKind::vhost_user, std::move(descriptors), 1);
    ASSERT_TRUE(ports.has_value()) << ports.error().describe();
    port_ = std::move(ports->front());
    connect();
  }
  void connect() {
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    timeval const patience{5, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  void send(Request request, Bytes const& payload, std::vector<int> const& fds = {},
            std::uint32_t flags = 1) {
    ByteWriter head;
    head.u32le(static_cast<std::uint32_t>(request)).u32le(flags);
    head.u32le(static_cast<std::uint32_t>(payload.size())).bytes(payload);
    Bytes all = std::move(head).take();
    iovec part{all.data(), all.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control{};
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* const c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    }
    ASSERT_EQ(::sendmsg(socket_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
  }
  static Bytes number(std::uint64_t value) {
    ByteWriter out;
    out.u64le(value);
    return std::move(out).take();
  }
  static Bytes state(std::uint32_t queue, std::uint32_t value) {
    return number(std::uint64_t{value} << 32 | queue);
  }
  /// The number of the next reply; the gate's turn comes first.
  std::uint64_t reply(Request request) {
    (void)receive();
    Bytes bytes(20);
    EXPECT_EQ(::recv(socket_.get(), bytes.data(), bytes.size(), MSG_WAITALL), 20);
    Cursor in(bytes);
    EXPECT_EQ(in.u32le(), static_cast<std::uint32_t>(request));
    EXPECT_EQ(in.u32le(), 5u);
    in.u32le();
    return in.u64le();
  }

  void set_memory() {
    ByteWriter out;
    out.u32le(2).u32le(0);
    for (std::size_t i = 0; i < 2; ++i) {
      std::uint64_t const apart = i * memory_[0].size;
      out.u64le(test::kGuestBase + apart).u64le(memory_[i].size);
      out.u64le(test::kUserBase + apart).u64le(0);
    }
    send(Request::set_mem_table, out.view(), {memory_[0].fd.get(), memory_[1].fd.get()});
  }
  void start(std::uint64_t features) {
    bool const packed = (features & kRingPacked) != 0;
    for (SharedMemory& memory : memory_) std::memset(memory.data, 0, memory.size);
    to_guest_.emplace(memory_[0], packed, kSize, true);
    from_guest_.emplace(memory_[1], packed, kSize, false, test::kGuestBase + memory_[0].size);
    send(Request::set_owner, {});
    send(Request::set_protocol_features, number(kOfferedProtocol));
    send(Request::set_features, number(features));
    set_memory();
    for (std::uint32_t queue : {0u, 1u}) start_ring(queue, packed ? 0x80008000 : 0);
    for (std::uint32_t queue : {0u, 1u}) send(Request::set_vring_enable, state(queue, 1));
    EXPECT_EQ(outcome(), Outcome::busy) << port_->fault();
    // The gate woke itself for what may have waited in the ring.
    EXPECT_EQ(outcome(), Outcome::busy);
  }
  void start_ring(std::uint32_t queue, std::uint32_t base) {
    send(Request::set_vring_num, state(queue, kSize));
    send(Request::set_vring_base, state(queue, base));
    std::uint64_t const user = test::kUserBase + queue * memory_[0].size;
    ByteWriter out;
    out.u32le(queue).u32le(0).u64le(user + Driver::kDescriptors).u64le(user + Driver::kDevice);
    out.u64le(user + Driver::kDriver).u64le(0);
    send(Request::set_vring_addr, out.view());
    send(Request::set_vring_call, number(queue), {call_[queue].get()});
    send(Request::set_vring_kick, number(queue), {kick_[queue].get()});
  }

  tl::expected<PortDriver::Frame, Outcome> receive() {
    auto frame = port_->receive(buffer_);
    port_->end_of_turn();
    return frame;
  }
  Outcome outcome() {
    auto const frame = receive();
    return frame ? Outcome::done : frame.error();
  }
  bool readable() {
    pollfd entry{port_->fd(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
  }
  bool called(std::uint32_t queue) {
    std::uint64_t count = 0;
    return ::read(call_[queue].get(), &count, sizeof count) == sizeof count;
  }
  void kick(std::uint32_t queue) {
    std::uint64_t const one = 1;
    ASSERT_EQ(::write(kick_[queue].get(), &one, sizeof one), 8);
  }
  /// The guest sends.
  void guest_sends(Bytes const& frame) {
    std::uint16_t const id = from_guest_->next_free();
    std::memset(from_guest_->bytes(id), 0, kNetHeaderBytes);
    std::memcpy(from_guest_->bytes(id) + kNetHeaderBytes, frame.data(), frame.size());
    std::uint64_t const at = from_guest_->buffer(id);
    from_guest_->offer(
        {{at, kNetHeaderBytes}, {at + kNetHeaderBytes, static_cast<std::uint32_t>(frame.size())}});
  }
  /// The same in one indirect chain of such pieces; where the header lies.
  std::uint8_t* guest_sends_in_pieces(VnetHeader const& vnet, Bytes const& frame,
                                      std::size_t piece_bytes) {
    std::uint16_t const id = from_guest_->next_free();
    std::uint8_t* const memory = from_guest_->bytes(id);
    std::memset(memory, 0, kNetHeaderBytes);
    std::copy(vnet.begin(), vnet.end(), memory);
    std::copy(frame.begin(), frame.end(), memory + kNetHeaderBytes);
    std::vector<Driver::Part> parts;
    std::size_t const whole = kNetHeaderBytes + frame.size();
    for (std::size_t at = 0; at < whole; at += piece_bytes) {
      parts.push_back({from_guest_->buffer(id) + at,
                       static_cast<std::uint32_t>(std::min(piece_bytes, whole - at))});
    }
    from_guest_->offer(parts, true);
    return memory;
  }
  void guest_offers(std::uint32_t bytes) {
    to_guest_->offer({{to_guest_->buffer(to_guest_->next_free()), bytes}});
  }
  Outcome gate_sends(Bytes& frame, VnetHeader const& header = {}) {
    std::array<iovec, 2> parts{iovec{}, iovec{frame.data(), frame.size()}};
    Outcome const sent = port_->send(header, parts);
    port_->end_of_turn();
    return sent;
  }

  sockaddr_un address_{};
  std::unique_ptr<PortDriver> port_;
  UniqueFd socket_;
  std::array<SharedMemory, 2> memory_{SharedMemory(0x80000), SharedMemory(0x80000)};
  std::array<UniqueFd, 2> kick_{UniqueFd(::eventfd(0, EFD_NONBLOCK)),
                                UniqueFd(::eventfd(0, EFD_NONBLOCK))};
  std::array<UniqueFd, 2> call_{UniqueFd(::eventfd(0, EFD_NONBLOCK)),
                                UniqueFd(::eventfd(0, EFD_NONBLOCK))};
  std::optional<Driver> to_guest_, from_guest_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kPortBufferBytes);
};

/// Its header and its frame: 3,000 bytes of TCP payload.
std::pair<VnetHeader, Bytes> super_packet() {
  Bytes const packet = shamon::test::make_packet({.protocol = kProtocolTcp, .payload_bytes = 3000});
  auto const header = make_ethernet_header(MacAddress{{2, 0, 0, 0, 0, 1}},
                                           MacAddress{{2, 0, 0, 0, 0, 2}}, kEtherTypeIpv4);
  Bytes frame(header.begin(), header.end());
  append(frame, packet);
  auto const parsed = parse_ip_packet(std::span(frame).subspan(kEthernetHeaderBytes));
  return {make_vnet_header({Segmentation::tcp, 1400, true}, *parsed), frame};
}

TEST_F(VhostUserPortTest, answers_what_a_front_end_asks) {
  send(Request::get_features, {});
  EXPECT_EQ(reply(Request::get_features), offered_features(1));
  send(Request::get_protocol_features, {});
  EXPECT_EQ(reply(Request::get_protocol_features), kOfferedProtocol);
  send(Request::get_queue_num, {});
  EXPECT_EQ(reply(Request::get_queue_num), 1u);
  send(Request::set_protocol_features, number(kProtocolReplyAck | kProtocolStatus));
  send(Request::set_owner, {}, {}, 9);
  EXPECT_EQ(reply(Request::set_owner), 0u);
  send(Request::set_status, number(7));
  send(Request::get_status, {});
  EXPECT_EQ(reply(Request::get_status), 7u);
}

TEST_F(VhostUserPortTest, frames_pass_both_ways_in_both_rings_and_wake_who_waits) {
  for (std::uint64_t const ring :
       {std::uint64_t{0}, kRingPacked, kRingEventIndex, kRingPacked | kRingEventIndex}) {
    start(kOffloads | ring);
    EXPECT_FALSE(readable()) << ring;
    Bytes frame(100, 7);
    for (int round = 0; round < 300; ++round) {
      frame[0] = static_cast<std::uint8_t>(round);
      guest_sends(frame);
      kick(1);
      ASSERT_TRUE(readable());
      auto const got = receive();
      ASSERT_TRUE(got.has_value()) << port_->fault();
      EXPECT_EQ(to_bytes(got->bytes), frame);
      EXPECT_EQ(got->vnet_header.size(), kVnetHeaderBytes);
      EXPECT_EQ(outcome(), Outcome::busy);
      EXPECT_FALSE(readable());
      ASSERT_TRUE(from_guest_->collect().has_value());
      EXPECT_EQ(gate_sends(frame), Outcome::busy) << "no room yet";
      guest_offers(2000);
      EXPECT_EQ(gate_sends(frame), Outcome::done);
      auto const used = to_guest_->collect();
      ASSERT_TRUE(used.has_value());
      EXPECT_EQ(used->bytes, kNetHeaderBytes + frame.size());
      EXPECT_EQ(to_guest_->bytes(used->id)[10], 1) << "num_buffers";
      EXPECT_EQ(to_guest_->bytes(used->id)[kNetHeaderBytes], frame[0]);
    }
    EXPECT_TRUE(called(0));
    EXPECT_TRUE(called(1));
    for (std::uint32_t queue : {0u, 1u}) {
      send(Request::get_vring_base, state(queue, 0));
      std::uint32_t const base = static_cast<std::uint32_t>(reply(Request::get_vring_base) >> 32);
      if ((ring & kRingPacked) == 0) {
        EXPECT_EQ(base, 300u);
      }
    }
  }
}

TEST_F(VhostUserPortTest, a_turn_that_ends_early_is_continued_without_a_kick) {
  start(kOffloads);
  for (int i = 0; i < 10; ++i) guest_sends(Bytes(60, 1));
  kick(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(readable()) << i;
    EXPECT_EQ(outcome(), Outcome::done) << i;
  }
  EXPECT_EQ(outcome(), Outcome::busy);
  EXPECT_FALSE(readable());
}

TEST_F(VhostUserPortTest, a_frame_takes_as_many_buffers_as_were_agreed) {
  Bytes frame(5000, 9);
  start(kOffloads);
  for (int i = 0; i < 5; ++i) guest_offers(1000);
  EXPECT_EQ(gate_sends(frame), Outcome::busy) << "12 bytes too few";
  EXPECT_FALSE(to_guest_->collect().has_value());
  guest_offers(1000);
  EXPECT_EQ(gate_sends(frame), Outcome::done);
  std::vector<std::uint32_t> sizes;
  while (auto const used = to_guest_->collect()) sizes.push_back(used->bytes);
  EXPECT_EQ(sizes, (std::vector<std::uint32_t>{1000, 1000, 1000, 1000, 1000, 12}));

  socket_.reset();
  EXPECT_EQ(outcome(), Outcome::busy);
  connect();
  start(kPlain);
  guest_offers(1000);
  guest_offers(4096);
  EXPECT_EQ(gate_sends(frame), Outcome::busy) << "without mergeable buffers one must do";
  Bytes small(900, 1);
  EXPECT_EQ(gate_sends(small), Outcome::done);
  EXPECT_EQ(to_guest_->collect()->bytes, 912u);
}

TEST_F(VhostUserPortTest, the_payload_of_a_super_packet_stays_in_the_guests_memory) {
  start(kOffloads | kRingIndirect);
  auto const [vnet, frame] = super_packet();
  std::size_t const head = kHeadersBytesMax - kNetHeaderBytes;
  for (std::size_t const piece_bytes : {4000u, 700u, 40u}) {
    std::uint8_t* const memory = guest_sends_in_pieces(vnet, frame, piece_bytes);
    auto const got = port_->receive(buffer_);
    ASSERT_TRUE(got.has_value()) << port_->fault();
    if (piece_bytes == 40) {
      EXPECT_TRUE(got->rest.empty()) << "too many pieces to leave them";
      EXPECT_EQ(to_bytes(got->bytes), frame);
    } else {
      EXPECT_EQ(to_bytes(got->bytes), to_bytes(ByteView(frame).first(head)));
      ASSERT_FALSE(got->rest.empty());
      // What the guest changes now changes the payload only.
      std::memset(memory, 0xff, kHeadersBytesMax + 10);
      auto const packet = parse_ip_packet(got->bytes.subspan(kEthernetHeaderBytes), got->rest);
      ASSERT_TRUE(packet.has_value());
      Bytes all(packet->total_bytes());
      copy_packet(*packet, 0, all);
      Bytes expected = to_bytes(ByteView(frame).subspan(kEthernetHeaderBytes));
      std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(head - kEthernetHeaderBytes), 10,
                  0xff);
      EXPECT_EQ(all, expected);
    }
    EXPECT_FALSE(from_guest_->collect().has_value()) << "not before the end of the turn";
    port_->end_of_turn();
    EXPECT_TRUE(from_guest_->collect().has_value());
  }
}

TEST_F(VhostUserPortTest, a_super_packet_is_taken_apart_for_a_guest_that_takes_none) {
  auto [vnet, frame] = super_packet();
  for (std::uint64_t const features : {kPlain, kOffloads}) {
    start(features);
    for (int i = 0; i < 8; ++i) guest_offers(4096);
    EXPECT_EQ(gate_sends(frame, vnet), Outcome::done);
    std::vector<std::uint32_t> sizes;
    while (auto const used = to_guest_->collect()) {
      sizes.push_back(used->bytes);
      std::uint8_t const* const bytes = to_guest_->bytes(used->id);
      ByteView const inner(bytes + kNetHeaderBytes + kEthernetHeaderBytes,
                           used->bytes - kNetHeaderBytes - kEthernetHeaderBytes);
      if (features == kPlain) {
        EXPECT_EQ(bytes[0] | bytes[1], 0) << "no offload";
        EXPECT_TRUE(shamon::test::transport_checksum_holds(inner));
      } else {
        EXPECT_TRUE(std::equal(vnet.begin(), vnet.end(), bytes));
      }
    }
    std::uint32_t const around = kNetHeaderBytes + kEthernetHeaderBytes + 40;
    EXPECT_EQ(sizes, features == kPlain
                         ? (std::vector<std::uint32_t>{around + 1400, around + 1400, around + 200})
                         : (std::vector<std::uint32_t>{around + 3000}));
    socket_.reset();
    EXPECT_EQ(outcome(), Outcome::busy);
    connect();
  }
}

TEST_F(VhostUserPortTest, a_front_end_that_ends_is_waited_for_again) {
  for (int round = 0; round < 3; ++round) {
    start(kOffloads);
    guest_sends(Bytes(60, 1));
    kick(1);
    EXPECT_EQ(outcome(), Outcome::done);
    socket_.reset();
    ASSERT_TRUE(readable());
    EXPECT_EQ(outcome(), Outcome::busy);
    Bytes frame(60, 1);
    guest_offers(2000);
    EXPECT_EQ(gate_sends(frame), Outcome::busy) << "nobody is there";
    connect();
    ASSERT_TRUE(readable());
  }
}

TEST_F(VhostUserPortTest, a_disabled_queue_gets_nothing_and_loses_what_it_sends) {
  start(kOffloads);
  for (std::uint32_t queue : {0u, 1u}) send(Request::set_vring_enable, state(queue, 0));
  EXPECT_EQ(outcome(), Outcome::busy);
  guest_sends(Bytes(60, 1));
  kick(1);
  EXPECT_EQ(outcome(), Outcome::busy);
  EXPECT_TRUE(from_guest_->collect().has_value());
  guest_offers(2000);
  Bytes frame(60, 1);
  EXPECT_EQ(gate_sends(frame), Outcome::busy);
}

TEST_F(VhostUserPortTest, the_log_has_the_pages_of_a_guest_that_moves) {
  for (std::uint64_t const ring : {std::uint64_t{0}, kRingPacked}) {
    start(kOffloads | ring);
    SharedMemory const log((test::kGuestBase + 2 * memory_[0].size) / kLogPageBytes / 8);
    auto const agree = [&](std::uint64_t more) {
      send(Request::set_features, number(kOffloads | ring | more), {}, 9);
      EXPECT_EQ(reply(Request::set_features), 0u);
      std::memset(log.data, 0, log.size);
    };
    auto const dirty = [&](std::uint64_t guest) {
      return (log.data[guest / kLogPageBytes / 8] >> guest / kLogPageBytes % 8 & 1) != 0;
    };
    auto const receives_at = [&] {
      guest_offers(1000);
      Bytes frame(60, 1);
      EXPECT_EQ(gate_sends(frame), Outcome::done);
      auto const used = to_guest_->collect();
      return used ? to_guest_->buffer(used->id) : 0;
    };
    ByteWriter area;
    area.u64le(log.size).u64le(0);
    send(Request::set_log_base, area.view(), {log.fd.get()});
    EXPECT_EQ(reply(Request::set_log_base), 0u);
    agree(kLogAll);
    std::uint64_t const buffer = receives_at();
    EXPECT_TRUE(dirty(buffer));
    EXPECT_FALSE(dirty(buffer + kLogPageBytes));
    EXPECT_TRUE(dirty(test::kGuestBase + Driver::kDevice));
    EXPECT_EQ(dirty(test::kGuestBase + Driver::kDescriptors), ring == kRingPacked);
    EXPECT_FALSE(dirty(test::kGuestBase + Driver::kDriver));
    // What the guest gives away is read, but the ring says that it was.
    std::memset(log.data, 0, log.size);
    guest_sends(Bytes(60, 1));
    kick(1);
    EXPECT_EQ(outcome(), Outcome::done);
    std::uint64_t const second = test::kGuestBase + memory_[0].size;
    EXPECT_TRUE(dirty(second + (ring == kRingPacked ? Driver::kDescriptors : Driver::kDevice)));
    EXPECT_FALSE(dirty(second + Driver::kBuffers));
    // A log is used no longer than the guest moves; the next move brings its own.
    agree(0);
    EXPECT_FALSE(dirty(receives_at()));
    agree(kLogAll);
    EXPECT_FALSE(dirty(receives_at()));
    socket_.reset();
    EXPECT_EQ(outcome(), Outcome::busy);
    connect();
  }
}

TEST_F(VhostUserPortTest, memory_that_was_shown_cannot_be_taken_away) {
  start(kOffloads);
  for (SharedMemory const& memory : memory_) {
    EXPECT_EQ(::ftruncate(memory.fd.get(), 0), -1);
    EXPECT_EQ(errno, EPERM);
    // A hole is only empty memory; the ring in it says nothing then.
    EXPECT_EQ(::fallocate(memory.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                          static_cast<off_t>(memory.size)),
              0);
  }
  kick(1);
  EXPECT_EQ(outcome(), Outcome::busy);
  Bytes frame(60, 1);
  EXPECT_EQ(gate_sends(frame), Outcome::busy);
}

TEST_F(VhostUserPortTest, a_breach_stops_the_port_and_says_which) {
  struct Row {
    char const* name;
    std::function<void()> breach;
    Fault fault;
  };
  SharedMemory const open_memory(4096, 0), short_log(4096);
  SharedMemory const growing(4096, F_SEAL_SHRINK), shrinking(4096, F_SEAL_GROW);
  UniqueFd const file(::open((folder_ + "/m").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
  auto const show = [&](std::vector<int> const& regions, std::uint64_t offset = 0) {
    ByteWriter out;
    out.u32le(static_cast<std::uint32_t>(regions.size())).u32le(0);
    for (std::size_t i = 0; i < regions.size(); ++i) {
      out.u64le(4096 * i).u64le(4096).u64le(4096 * i).u64le(offset);
    }
    send(Request::set_mem_table, out.view(), regions);
  };
  auto const show_log = [&](int log) {
    start(kOffloads);
    ByteWriter area;
    area.u64le(4096).u64le(0);
    send(Request::set_log_base, area.view(), {log});
  };
  Row const rows[] = {
      {"unknown request", [&] { send(static_cast<Request>(99), {}); }, Fault::unknown_request},
      {"feature not offered", [&] { send(Request::set_features, number(1u << 10)); },
       Fault::bad_features},
      {"protocol feature not offered",
       [&] { send(Request::set_protocol_features, number(1u << 5)); }, Fault::bad_features},
      {"third queue", [&] { send(Request::set_vring_num, state(2, 8)); }, Fault::bad_queue},
      {"ring of none", [&] { send(Request::set_vring_num, state(0, 0)); }, Fault::bad_ring_size},
      {"ring too long", [&] { send(Request::set_vring_num, state(0, kRingSizeMax + 1)); },
       Fault::bad_ring_size},
      {"kick without a descriptor", [&] { send(Request::set_vring_kick, number(0x100)); },
       Fault::bad_descriptors},
      {"ring before memory",
       [&] {
         send(Request::set_features, number(kPlain));
         start_ring(1, 0);
       },
       Fault::bad_ring_address},
      {"legacy driver",
       [&] {
         send(Request::set_features, number(kProtocolFeatures));
         set_memory();
         start_ring(1, 0);
       },
       Fault::bad_features},
      {"memory that may shrink", [&] { show({open_memory.fd.get()}); }, Fault::not_sealed},
      {"memory that may only not grow", [&] { show({shrinking.fd.get()}); }, Fault::not_sealed},
      {"the last region may shrink",
       [&] {
         show({growing.fd.get(), short_log.fd.get(), open_memory.fd.get()});
       },
       Fault::not_sealed},
      {"memory that is a file", [&] { show({file.get()}); }, Fault::not_sealed},
      {"memory that is a socket", [&] { show({socket_.get()}); }, Fault::not_sealed},
      {"a region behind the end of its memory", [&] { show({growing.fd.get()}, 1); },
       Fault::bad_region},
      {"a log that may shrink", [&] { show_log(open_memory.fd.get()); }, Fault::not_sealed},
      {"a log that is a file", [&] { show_log(file.get()); }, Fault::not_sealed},
      // Other ways to show memory are not offered: adding a region, chains in flight.
      {"VHOST_USER_ADD_MEM_REG",
       [&] { send(static_cast<Request>(37), Bytes(40), {growing.fd.get()}); },
       Fault::unknown_request},
      {"VHOST_USER_GET_INFLIGHT_FD", [&] { send(static_cast<Request>(31), Bytes(24)); },
       Fault::unknown_request},
      {"VHOST_USER_SET_INFLIGHT_FD",
       [&] { send(static_cast<Request>(32), Bytes(24), {growing.fd.get()}); },
       Fault::unknown_request},
      {"more descriptors than a message has",
       [&] { send(Request::set_owner, {}, std::vector<int>(9, socket_.get())); },
       Fault::bad_descriptors},
      {"other features while it runs",
       [&] {
         start(kOffloads);
         send(Request::set_features, number(kPlain));
       },
       Fault::bad_features},
      {"a log too short",
       [&] {
         start(kOffloads);
         ByteWriter area;
         area.u64le(4096).u64le(0);
         send(Request::set_log_base, area.view(), {short_log.fd.get()});
         send(Request::set_features, number(kOffloads | kLogAll));
       },
       Fault::bad_log},
      {"a frame shorter than its header",
       [&] {
         start(kOffloads);
         from_guest_->offer({{test::kGuestBase, kNetHeaderBytes - 1}});
         kick(1);
       },
       Fault::short_frame},
      {"a buffer outside",
       [&] {
         start(kOffloads);
         from_guest_->offer({{test::kGuestBase - 1, 100}});
         kick(1);
       },
       Fault::buffer_outside},
      {"an index that jumps",
       [&] {
         start(kOffloads);
         from_guest_->poke<std::uint16_t>(Driver::kDriver + 2, kSize + 1);
         kick(1);
       },
       Fault::index_jump},
  };
  for (Row const& row : rows) {
    SetUp();
    row.breach();
    EXPECT_EQ(outcome(), Outcome::closed) << row.name;
    EXPECT_EQ(port_->fault(), to_string(row.fault)) << row.name;
    Bytes frame(60, 1);
    EXPECT_EQ(gate_sends(frame), Outcome::closed) << row.name;
  }
}

TEST_F(VhostUserPortTest, each_pair_has_its_own_driver_and_an_unused_one_lends_the_first) {
  ::unlink(address_.sun_path);
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  auto ports = make_vhost_user_ports(std::move(listener), 2);
  ASSERT_TRUE(ports.has_value());
  ASSERT_EQ(ports->size(), 2u);
  port_ = std::move((*ports)[0]);
  std::unique_ptr<PortDriver> const second = std::move((*ports)[1]);
  EXPECT_NE(port_->fd(), second->fd());
  connect();
  send(Request::get_features, {});
  EXPECT_EQ(reply(Request::get_features), kOfferedAlways | kNetMultiQueue);
  send(Request::get_queue_num, {});
  EXPECT_EQ(reply(Request::get_queue_num), 2u);
  start(kOffloads | kNetMultiQueue | kRingIndirect);
  Bytes frame(60, 3);
  std::array<iovec, 2> parts{iovec{}, iovec{frame.data(), frame.size()}};
  guest_offers(2000);
  EXPECT_EQ(second->send({}, parts), Outcome::done);
  second->end_of_turn();
  EXPECT_TRUE(to_guest_->collect().has_value());

  // The guest's second pair takes the place of the first in its memory.
  for (std::uint32_t queue : {0u, 1u}) {
    send(Request::get_vring_base, state(queue, 0));
    (void)reply(Request::get_vring_base);
  }
  for (SharedMemory& memory : memory_) std::memset(memory.data, 0, memory.size);
  from_guest_.emplace(memory_[1], false, kSize, false, test::kGuestBase + memory_[0].size);
  send(Request::set_vring_num, state(3, kSize));
  std::uint64_t const user = test::kUserBase + memory_[0].size;
  ByteWriter out;
  out.u32le(3).u32le(0).u64le(user + Driver::kDescriptors).u64le(user + Driver::kDevice);
  out.u64le(user + Driver::kDriver).u64le(0);
  send(Request::set_vring_addr, out.view());
  send(Request::set_vring_kick, number(3), {kick_[1].get()});
  send(Request::set_vring_enable, state(3, 1));
  EXPECT_EQ(outcome(), Outcome::busy) << port_->fault();
  EXPECT_EQ(second->receive(buffer_).error(), Outcome::busy);
  guest_sends(frame);
  kick(1);
  pollfd entry{second->fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&entry, 1, 0), 1);
  auto const got = second->receive(buffer_);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(to_bytes(got->bytes), frame);
  EXPECT_EQ(outcome(), Outcome::busy) << "not the first one's";
  second->end_of_turn();

  // The first pair's worker hears of new memory while the second one still uses the old.
  auto const [vnet, large] = super_packet();
  guest_sends_in_pieces(vnet, large, 4000);
  auto const lent = second->receive(buffer_);
  ASSERT_TRUE(lent.has_value());
  ASSERT_EQ(lent->rest.size(), 1u);
  set_memory();
  EXPECT_EQ(outcome(), Outcome::busy) << port_->fault();
  Bytes payload(lent->rest[0].iov_len);
  std::memcpy(payload.data(), lent->rest[0].iov_base, payload.size());
  EXPECT_EQ(payload, to_bytes(ByteView(large).last(payload.size())));
  second->end_of_turn();
  // A breach in one pair ends the VM's port.
  from_guest_->poke<std::uint16_t>(Driver::kDriver + 2, 1000);
  kick(1);
  EXPECT_EQ(second->receive(buffer_).error(), Outcome::closed);
  EXPECT_TRUE(readable());
  EXPECT_EQ(outcome(), Outcome::closed);
}

TEST_F(VhostUserPortTest, only_a_listening_stream_socket_will_do) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd const other(ends[1]);
  EXPECT_FALSE(make_vhost_user_ports(UniqueFd(ends[0]), 1).has_value());
  UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(make_vhost_user_ports(std::move(file), 1).has_value());
  for (std::size_t const pairs : {std::size_t{0}, kQueuePairsMax + 1}) {
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::listen(listener.get(), 1), -1) << "not bound";
    EXPECT_FALSE(make_vhost_user_ports(std::move(listener), pairs).has_value());
  }
}

}  // namespace
}  // namespace shamon::vhost_user
