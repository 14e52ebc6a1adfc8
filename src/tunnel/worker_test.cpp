// When a worker wakes: for packets and commands, for what becomes due, and else never.
#include "tunnel/worker.hpp"

#include <thread>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/ipv4_text.hpp"
#include "policy/source.hpp"
#include "tunnel/packet_fixture.hpp"
#include "tunnel/socket_port.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;
using test::make_packet;

constexpr char kPolicy[] =
    "coalition test revision 1\n"
    "type green_t red_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "allow green <-> green\n";
/// More than a loaded machine takes to run a thread that may.
constexpr Duration kSlack = 300ms;

class WorkerTest : public ::testing::Test {
 protected:
  void start(WorkerPlace place = {}, GateOptions options = {.tunnel_mtu = 1400}) {
    auto underlay = Underlay::bind(*parse_endpoint("127.0.0.1:0"), 1);
    ASSERT_TRUE(underlay.has_value());
    auto made = Worker::create(place, std::move(underlay->front()), options,
                               [this](WorkerNotice const& notice) {
                                 notices_.emplace_back(read_monotonic_clock(), notice);
                               });
    ASSERT_TRUE(made.has_value());
    worker_ = *std::move(made);
    auto built = build_policy("test.policy", kPolicy);
    ASSERT_TRUE(built.has_value());
    command([&] {
      return worker_->load_policy(
          std::make_shared<CompiledPolicy const>(std::move(built->compiled)));
    });
    notices_.clear();
  }

  /// Lets the worker run for so long, then `last` in a turn of its own; how often it woke before.
  int turns_in(
      Duration time, std::function<void()> const& last = [] {}) {
    UniqueFd const timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    itimerspec at{};
    at.it_value.tv_sec = time / 1s;
    at.it_value.tv_nsec = (time % 1s).count();
    EXPECT_EQ(::timerfd_settime(timer.get(), 0, &at, nullptr), 0);
    EXPECT_TRUE(worker_->watch(timer.get(), 16, EPOLLIN, true).has_value());
    bool over = false;
    int turns = -1;
    while (!over) {
      ++turns;
      EXPECT_TRUE(worker_->turn([&](std::uint64_t, std::uint32_t) {
        over = true;
        last();
      }));
    }
    return turns;
  }
  void command(std::function<Status()> const& run) {
    turns_in(1ns, [&] {
      Status const done = run();
      EXPECT_TRUE(done.has_value()) << done.error().describe();
    });
  }
  /// Once all is done that packets and commands brought. The end of the first wait is an event too,
  /// after which it looks once.
  bool sleeps() {
    turns_in(1200ms);
    return turns_in(800ms) <= 1;
  }

  void attach(std::uint32_t id, char const* vm, char const* label, Ipv4 address,
              std::unique_ptr<PortDriver> driver) {
    gate::PortAttach message;
    message.port = id;
    message.vm = to_name(vm);
    message.label = to_name(label);
    message.address = address.bits;
    message.mac = test::kMac.octets;
    message.mtu = kMtuMax;
    command([&] { return worker_->attach_port(message, std::move(driver)); });
  }
  /// The VM's end.
  UniqueFd attach(std::uint32_t id, char const* vm, char const* label, Ipv4 address) {
    auto [mine, its] = socket_pair(SOCK_SEQPACKET);
    attach(id, vm, label, address, make_datagram_port(std::move(mine), true));
    return std::move(its);
  }
  static std::pair<UniqueFd, UniqueFd> socket_pair(int type) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
  static void send(UniqueFd const& vm, test::PacketSpec const& spec) {
    auto const header = make_ethernet_header(kGateMac, test::kMac, kEtherTypeIpv4);
    Bytes frame(header.begin(), header.end());
    append(frame, make_packet(spec));
    ASSERT_EQ(::send(vm.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  }

  void open_association(std::uint64_t seconds_max) {
    gate::AssociationOpen message;
    message.association = 1;
    message.peer = to_name("b");
    message.label = to_name("green");
    message.algorithm = static_cast<std::uint32_t>(AeadAlgorithm::encr_aes_gcm_16_256);
    message.peer_address = parse_ip("127.0.0.1")->bytes;
    message.peer_port = 4500;
    message.spi_in = 0x1000;
    message.spi_out = 0x2000;
    message.lanes = 1;
    message.revision = 1;
    message.seconds_max = seconds_max;
    message.peer_member = message.peer_attested = 1;
    message.key_in[0] = 1;
    message.key_out[0] = 2;
    command([&] { return worker_->open_association(message); });
    opened_ = read_monotonic_clock();
  }
  /// When it was told first, after the association was opened.
  template <class Told>
  std::optional<Duration> told() const {
    for (auto const& [at, notice] : notices_) {
      if (std::holds_alternative<Told>(notice)) return at - opened_;
    }
    return std::nullopt;
  }
  /// What records say of the repeats of one refusal, in all.
  std::uint32_t told_repeats() const {
    std::uint32_t sum = 0;
    for (auto const& [at, notice] : notices_) {
      auto const* audit = std::get_if<gate::Audit>(&notice);
      if (audit != nullptr && audit->hook == static_cast<std::uint32_t>(Hook::flow_out)) {
        sum += audit->count;
      }
    }
    return sum;
  }

  std::unique_ptr<Worker> worker_;
  std::vector<std::pair<Instant, WorkerNotice>> notices_;
  Instant opened_;
};

TEST_F(WorkerTest, sleeps_while_nothing_is_to_do) {
  start();
  UniqueFd const vm = attach(1, "g1", "green", test::kFrom);
  UniqueFd const other = attach(2, "g2", "green", test::kTo);
  open_association(3600);
  EXPECT_TRUE(sleeps());
  send(vm, {});
  EXPECT_TRUE(sleeps());
  Bytes frame(2000);
  EXPECT_GT(::recv(other.get(), frame.data(), frame.size(), 0), 0);
}

TEST_F(WorkerTest, wakes_when_the_time_of_an_association_is_used_up) {
  start();
  open_association(1);
  EXPECT_LE(turns_in(1500ms), 8);
  ASSERT_TRUE(told<gate::RekeyWanted>());
  EXPECT_GE(*told<gate::RekeyWanted>(), 700ms);
  EXPECT_LE(*told<gate::RekeyWanted>(), 900ms + kSlack);
  ASSERT_TRUE(told<AssociationDue>());
  EXPECT_GE(*told<AssociationDue>(), 900ms);
  EXPECT_LE(*told<AssociationDue>(), 1100ms + kSlack);
  // Told until it is done: the first notice may have found no room.
  notices_.clear();
  turns_in(500ms);
  EXPECT_TRUE(told<AssociationDue>());
  command([&] {
    auto const ended = worker_->close_association(AssociationId(1));
    return ended ? Status{} : pass(ended);
  });
  EXPECT_TRUE(sleeps());
}

TEST_F(WorkerTest, tells_repeats_within_a_second_and_then_sleeps) {
  start();
  UniqueFd const vm = attach(1, "g1", "green", test::kFrom);
  UniqueFd const other = attach(2, "r1", "red", test::kTo);
  for (std::uint32_t round = 1; round <= 2; ++round) {
    for (int i = 0; i < 5; ++i) send(vm, {});
    turns_in(1100ms + kSlack);
    EXPECT_EQ(told_repeats(), 5 * round);
  }
  EXPECT_TRUE(sleeps());
}

TEST_F(WorkerTest, finishes_the_frame_that_it_left_in_a_stream_it_does_not_read) {
  start({1, 2});
  auto [mine, its] = socket_pair(SOCK_STREAM);
  int const small = 1;  // the kernel's least
  ASSERT_EQ(::setsockopt(mine.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  PortDrivers drivers = make_stream_ports(std::move(mine), 2);
  UniqueFd const vm = attach(1, "g1", "green", test::kFrom);
  attach(2, "g2", "green", test::kTo, std::move(drivers[1]));
  send(vm, {.protocol = kProtocolUdp, .payload_bytes = 8000});
  turns_in(50ms);
  ASSERT_TRUE(drivers[0]->wants_write()) << "this machine's streams take all at once";
  std::size_t const whole = 4 + kEthernetHeaderBytes + kIpv4HeaderBytes + 8 + 8000;
  std::size_t got = 0;
  for (int i = 0; i < 20 && got < whole; ++i) {
    Bytes piece(whole);
    ssize_t const bytes = ::recv(its.get(), piece.data(), piece.size(), 0);
    if (bytes > 0) got += static_cast<std::size_t>(bytes);
    turns_in(110ms);
  }
  EXPECT_EQ(got, whole);
  EXPECT_TRUE(sleeps());
}

TEST_F(WorkerTest, leaves_no_frame_of_a_stream_behind_that_came_with_many_others) {
  start();
  auto [mine, its] = socket_pair(SOCK_STREAM);
  attach(1, "g1", "green", test::kFrom, std::move(make_stream_ports(std::move(mine), 1)[0]));
  UniqueFd const other = attach(2, "g2", "green", test::kTo);
  auto const header = make_ethernet_header(kGateMac, test::kMac, kEtherTypeIpv4);
  Bytes const packet = make_packet({});
  Bytes all;
  constexpr std::size_t kFrames = 3 * kPortFramesPerTurn;
  for (std::size_t i = 0; i < kFrames; ++i) {
    std::array<std::uint8_t, 4> length{};
    put_u32be(length.data(), static_cast<std::uint32_t>(header.size() + packet.size()));
    append(all, length);
    append(all, header);
    append(all, packet);
  }
  ASSERT_EQ(::send(its.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
  turns_in(200ms);
  Bytes frame(2000);
  std::size_t got = 0;
  while (::recv(other.get(), frame.data(), frame.size(), 0) > 0) ++got;
  EXPECT_EQ(got, kFrames);
}

TEST_F(WorkerTest, reads_a_flood_of_what_may_not_pass_only_now_and_then) {
  start();
  UniqueFd const vm = attach(1, "g1", "green", test::kFrom);
  UniqueFd const red = attach(2, "r1", "red", test::kTo);
  Ipv4 const friendly{test::kTo.bits + 1};
  UniqueFd const green = attach(3, "g2", "green", friendly);
  constexpr Duration kTime = 500ms;
  std::uint64_t sent = 0;
  std::jthread flood([&](std::stop_token const& stop) {
    while (!stop.stop_requested()) {
      auto const header = make_ethernet_header(kGateMac, test::kMac, kEtherTypeIpv4);
      Bytes frame(header.begin(), header.end());
      append(frame, make_packet({}));
      sent += ::send(vm.get(), frame.data(), frame.size(), 0) > 0 ? 1 : 0;
    }
  });
  turns_in(kTime);
  Counters const& counters = worker_->ports().find(PortId(1))->counters;
  EXPECT_GT(counters.dropped_policy, 2 * kPortFramesPerTurn) << "it is read again after its rest";
  EXPECT_LE(counters.dropped_policy, (kTime / Duration(kRefusedRest) + 2) * kPortFramesPerTurn);
  flood.request_stop();
  flood.join();
  EXPECT_GT(sent, counters.dropped_policy);
  // What waits is refused in turns of its own; then what may pass does.
  turns_in(200ms);
  send(vm, {.destination = friendly});
  turns_in(50ms);
  Bytes frame(2000);
  EXPECT_GT(::recv(green.get(), frame.data(), frame.size(), 0), 0);
  EXPECT_LT(::recv(red.get(), frame.data(), frame.size(), 0), 0);
}

TEST_F(WorkerTest, polls_as_long_as_it_is_told_after_each_packet) {
  start({}, {.tunnel_mtu = 1400, .busy_poll = 1000us});
  UniqueFd const vm = attach(1, "g1", "green", test::kFrom);
  UniqueFd const other = attach(2, "g2", "green", test::kTo);
  turns_in(500ms);
  send(vm, {});
  EXPECT_GT(turns_in(50ms), 10);
  EXPECT_LE(turns_in(500ms), 50'000) << "it never sleeps";
}

}  // namespace
}  // namespace shamon
