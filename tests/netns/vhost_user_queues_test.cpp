// A QEMU guest of two processors whose card has two queue pairs, at a gate of two workers: each
// worker has a pair of its own.
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/gate_fixture.hpp"
#include "netns/missing_package.hpp"
#include "netns/qemu_guest.hpp"

namespace shamon::netns {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Where the gate is in each ring: of the first pair to and from the guest, then of the second.
using Positions = std::array<unsigned, 4>;

class VhostUserQueuesTest : public GateTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    std::string missing = QemuGuest::missing();
    if (missing.empty() && !missing_package({{"ethtool", "ethtool"}}).empty()) {
      missing = "SKIPPED: install Debian package ethtool";
    }
    if (!missing.empty()) GTEST_SKIP() << missing;
    set_up({.workers = 2});
    if (IsSkipped() || HasFatalFailure()) return;
    QemuGuest::Options options = QemuGuest::v1(lab_->directory + "/v1", GetParam());
    options.spec.processors = 2;
    options.spec.queues = 2;
    options.programs = {"/usr/sbin/ethtool"};
    guest_.emplace(options);
    ASSERT_DONE(guest_->attach_v1(a()));
    ASSERT_DONE(b().route(kGuestAddress, "v1", "green", "a"));
    ASSERT_TRUE(guest_->has_booted()) << guest_->told();
    ASSERT_TRUE(eventually([&] { return ping("g2", kGuestAddress); }, 10'000)) << guest_->told();
  }
  void TearDown() override { guest_.reset(); }

  /// Where QEMU says the part of a ring lies that the gate writes. (For its first pair it would ask
  /// the gate for more, and stop the ring; so the other question is put there.)
  std::string device_area(int queue) {
    json const cards = json::parse(guest_->ask("x-query-virtio"), nullptr, false);
    for (json const& card : cards.value("return", json::array())) {
      if (card["name"] != "virtio-net") continue;
      std::string const question =
          queue < 2 ? "x-query-virtio-vhost-queue-status" : "x-query-virtio-queue-status";
      json const ring =
          json::parse(guest_->ask(question, json{{"path", card["path"]}, {"queue", queue}}.dump()),
                      nullptr, false);
      auto const& about = ring.value("return", json::object());
      char const* const key = queue < 2 ? "used-phys" : "vring-used";
      if (about.contains(key)) return fmt::format("{:#x}", about[key].get<std::uint64_t>());
      ADD_FAILURE() << ring.dump();
    }
    ADD_FAILURE() << "no card: " << cards.dump();
    return "0";
  }
  /// Read from the guest's memory: the index of a split ring (Virtual I/O Device 1.2 §2.7.8), the
  /// event position of a packed one, where the gate always says how far it is.
  Positions positions() {
    Positions all{};
    for (int queue = 0; queue < 4; ++queue) {
      std::string const at = device_area(queue) + (GetParam() ? "" : "+2");
      std::string const line =
          guest_->ask("human-monitor-command", json{{"command-line", "xp /1hx " + at}}.dump());
      auto const value = line.rfind("0x");
      EXPECT_NE(value, std::string::npos) << line;
      if (value == std::string::npos) continue;
      all[queue] = static_cast<unsigned>(std::strtoul(&line[value], nullptr, 16));
    }
    return all;
  }

  /// Few frames, less than a ring has, so that a ring that was used has another position: flows of
  /// every worker to the guest, and from each of its processors.
  void send_both_ways() {
    EXPECT_TRUE(run(fmt::format("sh -c 'for p in $(seq 9101 9132); do echo x | socat -u - "
                                "UDP4-SENDTO:{}:$p; done'",
                                kGuestAddress),
                    lab_->domain_ns("g2"))
                    .ok());
    for (char const* processor : {"1", "2"}) {
      Ran const sent = guest_->run(fmt::format("taskset {} ping -c 3 -W 5 10.77.0.2", processor));
      EXPECT_THAT(sent.output, HasSubstr(" 0% packet loss"));
    }
  }
  void set_pairs(int count) {
    Ran const set =
        guest_->run(fmt::format("ethtool -L eth0 combined {0}; ethtool -l eth0", count));
    EXPECT_TRUE(set.ok()) << set.output;
    std::string const now =
        set.output.substr(std::min(set.output.size(), set.output.find("Current")));
    EXPECT_THAT(now, HasSubstr(fmt::format("Combined:\t{}\n", count)));
    EXPECT_TRUE(eventually([&] { return ping("g2", kGuestAddress); }));
  }
  /// Four streams at once to the guest and what it got back again; all alike.
  void expect_streams_arrive() {
    std::string const sent = lab_->directory + "/sent", back = lab_->directory + "/back";
    ASSERT_TRUE(netns::run("sh -c 'head -c 2000000 /dev/urandom > " + sent + "'").ok());
    std::vector<Process> sinks;
    for (int i = 0; i < 4; ++i) {
      sinks.push_back(start(
          fmt::format("socat -u TCP-LISTEN:{},reuseaddr OPEN:{}{},creat,trunc", 9000 + i, back, i),
          lab_->domain_ns("g2")));
      ASSERT_TRUE(guest_->start(
          fmt::format("nc -l -p {1} >/tmp/{0}; taskset {2} nc 10.77.0.2 {3} </tmp/{0}", i, 9010 + i,
                      1 + i % 2, 9000 + i)));
    }
    ASSERT_TRUE(eventually(
        [&] { return guest_->run("netstat -ltn 2>/dev/null | grep -c 901").output == "4\n"; },
        20'000));
    Ran const sending =
        run(fmt::format("sh -c 'for i in 0 1 2 3; do socat -u FILE:{} TCP:{}:901$i & done; wait'",
                        sent, kGuestAddress),
            lab_->domain_ns("g2"), 60);
    EXPECT_TRUE(sending.ok()) << sending.output;
    for (int i = 0; i < 4; ++i) {
      std::string const compare = fmt::format("cmp {} {}{}", sent, back, i);
      EXPECT_TRUE(eventually([&] { return run(compare).ok(); }, 60'000)) << run(compare).output;
    }
  }

  std::optional<QemuGuest> guest_;
};

TEST_P(VhostUserQueuesTest, each_pair_carries_frames_while_the_guest_uses_it) {
  set_pairs(1);
  Positions const before = positions();
  send_both_ways();
  Positions const one = positions();
  EXPECT_NE(one[0], before[0]);
  EXPECT_NE(one[1], before[1]);
  EXPECT_EQ(one[2], before[2]) << "a pair that the guest does not use";
  EXPECT_EQ(one[3], before[3]) << "a pair that the guest does not use";

  set_pairs(2);
  Positions const second = positions();
  send_both_ways();
  Positions const two = positions();
  for (std::size_t queue = 0; queue < two.size(); ++queue) {
    EXPECT_NE(two[queue], second[queue]) << "queue " << queue;
  }
  expect_streams_arrive();
  EXPECT_TRUE(a().of<gate::PortFault>().empty());
  EXPECT_EQ(a().statistics(kGuestPort).dropped_malformed, 0u);
}

TEST_F(GateTest, more_pairs_than_workers_are_refused_and_others_do_not_notice) {
  std::string const missing = QemuGuest::missing();
  if (!missing.empty()) GTEST_SKIP() << missing;
  QemuGuest::Options options = QemuGuest::v1(lab_->directory + "/v1");
  options.spec.processors = 2;
  options.spec.queues = 2;
  QemuGuest guest(options);
  ASSERT_DONE(guest.attach_v1(a()));
  EXPECT_TRUE(eventually(
      [&] { return guest.told().find("more queues than supported: 1") != std::string::npos; },
      20'000))
      << guest.told();
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  EXPECT_TRUE(a().of<gate::PortFault>().empty());
}

INSTANTIATE_TEST_SUITE_P(Rings, VhostUserQueuesTest, ::testing::Bool(),
                         [](auto const& each) { return each.param ? "packed" : "split"; });

}  // namespace
}  // namespace shamon::netns
