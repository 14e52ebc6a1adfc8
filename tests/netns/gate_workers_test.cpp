// What a gate does with several workers, and with either IP inside and outside.
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "netns/gate_fixture.hpp"

namespace shamon::netns {
namespace {

struct Row {
  char const* name;
  GateLab::Options options;
};
std::ostream& operator<<(std::ostream& out, Row const& row) {
  return out << row.name;
}
constexpr Row kRows[] = {
    {"one_worker_ipv6_outside", {.workers = 1, .ipv6 = true}},
    {"one_worker_extended_numbers", {.workers = 1, .extended_sequence = true}},
    {"two_workers", {.workers = 2}},
    {"two_workers_that_poll", {.workers = 2, .busy_poll = 50}},
    {"three_workers_ipv6_outside_extended",
     {.workers = 3, .ipv6 = true, .extended_sequence = true}},
};

class GateWorkersTest : public GateTest, public ::testing::WithParamInterface<Row> {
 protected:
  void SetUp() override {
    set_up(GetParam().options);
    // The underlay's own neighbour discovery may take a second.
    ASSERT_TRUE(eventually([&] { return ping("g1", "10.77.0.2"); }, 5000));
  }
  /// A shell command line in that VM's namespace.
  Ran in(std::string const& vm, std::string const& line, int seconds_max = 20) {
    return run("sh -c '" + line + "'", lab_->domain_ns(vm), seconds_max);
  }
};

TEST_P(GateWorkersTest, both_ips_pass_between_machines) {
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  EXPECT_TRUE(ping("g1", ipv6_of("10.77.0.2"), 3));
  EXPECT_TRUE(ping("g2", ipv6_of("10.77.0.1"), 3));
  EXPECT_EQ(a().statistics().dropped_icv, 0u);
}

TEST_P(GateWorkersTest, many_streams_arrive_byte_for_byte) {
  std::string const file = lab_->directory + "/got";
  for (bool ipv6 : {false, true}) {
    std::string const family = ipv6 ? "TCP6" : "TCP4";
    std::string const target = ipv6 ? "[" + ipv6_of("10.77.0.2") + "]" : "10.77.0.2";
    ASSERT_TRUE(
        run("sh -c 'rm -f " + file + "*; head -c 3000000 /dev/urandom > " + file + "'").ok());
    std::ofstream(lab_->directory + "/keep") << "cat > " + file + ".$$\n";
    Process server =
        start("socat -u " + family + "-LISTEN:7000,fork,reuseaddr,backlog=64 SYSTEM:\"sh " +
                  lab_->directory + "/keep\"",
              lab_->domain_ns("g2"));
    ASSERT_TRUE(eventually([&] { return in("g2", "ss -ltn | grep -q :7000").ok(); }));
    Ran const sent = in("g1",
                        "for i in 1 2 3 4 5 6 7 8; do socat -u OPEN:" + file + " " + family + ":" +
                            target + ":7000 & done; wait",
                        30);
    ASSERT_TRUE(sent.ok()) << sent.output;
    auto const alike = [&] {
      return run("sh -c 'sha256sum " + file + "* | cut -c1-64 | sort | uniq -c'");
    };
    EXPECT_TRUE(eventually([&] { return alike().output.find("      9 ") == 0; }, 15000))
        << alike().output;
  }
  gate::Statistics const at_b = b().statistics();
  EXPECT_EQ(at_b.dropped_replay, 0u);
  EXPECT_EQ(at_b.dropped_icv, 0u);
  EXPECT_EQ(at_b.dropped_no_association, 0u);
}

TEST_P(GateWorkersTest, a_change_holds_for_every_worker) {
  // Thirty-two flows: more than one worker has some.
  auto const reach = [&] {
    (void)in("g1",
             "for p in $(seq 9001 9032); do echo x | socat -u - UDP4-SENDTO:10.77.0.2:$p; done");
  };
  reach();
  std::uint64_t const before = b().statistics().packets_out;
  EXPECT_GT(before, 31u);
  gate::Done done;
  ASSERT_DONE(a().close(1, "green", gate::CloseReason::asked, &done));
  ASSERT_DONE(b().close(1, "green"));
  std::uint64_t const at_end = b().statistics().packets_out;
  reach();
  EXPECT_EQ(b().statistics().packets_out, at_end) << "nothing after Done";
  ASSERT_DONE(lab_->open_pair(2, "green"));
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  ASSERT_DONE(b().lease(-1));
  std::uint64_t const at_lease = b().statistics().packets_out;
  reach();
  gate::Statistics const after = b().statistics();
  EXPECT_EQ(after.packets_out, at_lease);
  EXPECT_GE(after.dropped_lease, 32u);
}

TEST_P(GateWorkersTest, a_rekey_under_load_loses_nothing) {
  Process load =
      start("sh -c 'ping -n -q -i 0.005 -c 300 10.77.0.2 > " + lab_->directory + "/ping'",
            lab_->domain_ns("g1"));
  for (std::uint32_t id = 2; id < 5; ++id) {
    ASSERT_DONE(lab_->open_pair(id, "green", true));
    (void)run("sleep 0.4");
  }
  (void)eventually([&] { return !load.running(); }, 8000);
  Ran const told = run("cat " + lab_->directory + "/ping");
  EXPECT_NE(told.output.find("300 received"), std::string::npos) << told.output;
}

INSTANTIATE_TEST_SUITE_P(Each, GateWorkersTest, ::testing::ValuesIn(kRows),
                         [](auto const& row) { return std::string(row.param.name); });

class IdleGateTest : public GateTest {
 protected:
  void SetUp() override { set_up({.workers = 2}); }
  /// How often the threads of gate a went to sleep so far.
  int sleeps() {
    Ran const counted = run(fmt::format(
        "sh -c 'cat /proc/{}/task/*/status | grep ^voluntary_ctxt | cut -f2'", a().gate_pid()));
    std::istringstream lines(counted.output);
    return std::accumulate(std::istream_iterator<int>(lines), {}, 0);
  }
};

TEST_F(IdleGateTest, nothing_wakes_it_while_nothing_is_to_do) {
  ASSERT_TRUE(ping("g1", "10.77.0.2", 3));
  // The kernel of a new domain asks for its neighbours and routers for some seconds.
  EXPECT_TRUE(eventually(
      [&] {
        int const before = sleeps();
        (void)run("sleep 2");
        return sleeps() == before;
      },
      30'000));
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
}

TEST(GateCommandLine, says_how_long_it_may_poll) {
  for (char const* value : {"1001", "-1", "soon", "4294967296"}) {
    Ran const ran =
        run(fmt::format("{}/shamon-gate --busy-poll {} --listen-udp 127.0.0.1:4500 "
                        "--control /nonexistent/gate",
                        SHAMON_BIN_DIR, value));
    EXPECT_EQ(ran.status, 2) << value;
    EXPECT_THAT(ran.output, ::testing::StartsWith("shamon-gate: ")) << value;
    EXPECT_THAT(ran.output.substr(0, ran.output.find('\n')), ::testing::HasSubstr("--busy-poll"));
  }
  // The bound itself is none: it fails at the control socket only.
  Ran const ran = run(SHAMON_BIN_DIR
                      "/shamon-gate --busy-poll 1000 --listen-udp 127.0.0.1:0 "
                      "--control /nonexistent/gate");
  EXPECT_EQ(ran.status, 1) << ran.output;
}

TEST_F(GateTest, what_the_way_takes_is_found_out_and_told) {
  // As after an ICMP "too big" from a router between the machines.
  ASSERT_TRUE(run("ip route replace 192.0.2.0/30 dev up0 mtu 1300", a().ns).ok());
  std::string const inside = lab_->domain_ns("g1");
  (void)run("ping -n -c 1 -W 1 -M do -s 1350 10.77.0.2", inside);  // lost: it finds out
  Ran const told = run("ping -n -c 1 -W 1 -M do -s 1350 10.77.0.2", inside);
  EXPECT_NE(told.output.find("mtu"), std::string::npos) << told.output;
  EXPECT_TRUE(run("ping -n -c 1 -W 1 -M do -s 1200 10.77.0.2", inside).ok());
}

TEST_F(GateTest, the_outer_packet_tells_of_congestion_but_not_of_the_class) {
  if (!run("tcpdump --version").ok()) GTEST_SKIP() << "needs tcpdump (Debian package tcpdump)";
  std::string const file = lab_->directory + "/out";
  Process capture = start(
      "sh -c \"tcpdump -n -v -c 1 -i up0 'udp and src 192.0.2.1' > " + file + " 2>&1\"", b().ns);
  ASSERT_TRUE(eventually([&] { return run("grep -q listening " + file).ok(); }));
  // Class EF and ECT(0).
  ASSERT_TRUE(run("ping -n -c 2 -Q 0xba 10.77.0.2", lab_->domain_ns("g1")).ok());
  EXPECT_TRUE(eventually([&] { return run("grep -q 'tos 0x2,ECT(0)' " + file).ok(); }))
      << run("cat " + file).output;
}

}  // namespace
}  // namespace shamon::netns
