// VMs without addresses behind real gates: they get them by DHCP and by router advertisement, and
// find each other by name. This process serves, with shamond's own code, as both host monitors.
#include <cstring>
#include <fstream>

#include <sys/socket.h>

#include "base/ipv4_text.hpp"
#include "netns/gate_fixture.hpp"
#include "netns/vm_services_fixture.hpp"
#include "tunnel/forwarder.hpp"
#include "tunnel/worker.hpp"

namespace shamon::netns {
namespace {

constexpr Ipv4 kG1{0x0a4d0001}, kG2{0x0a4d0002}, kR2{0x0a4d0003};

MacAddress mac_of(Ipv4 address) {
  auto const octet = [&](int shift) { return static_cast<std::uint8_t>(address.bits >> shift); };
  return {{0x02, 0x00, octet(24), octet(16), octet(8), octet(0)}};  // as GateLab gives them
}

/// g1 (green) at machine a; g2 (green) and r2 (red) at machine b. Green and red must not meet.
class VmServicesTest : public GateTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  void SetUp() override {
    set_up({.workers = GetParam()});
    if (IsSkipped()) return;
    ASSERT_DONE(lab_->domain(b(), 2, "r2", "red", "10.77.0.3"));
    ASSERT_DONE(lab_->open_pair(2, "red"));
  }
  void TearDown() override { services_.reset(); }

  void serve() {
    services_.emplace(std::vector{g1_, g2_, r2_});
    ASSERT_DONE(services_->attach(a(), {{1, g1_}}));
    ASSERT_DONE(services_->attach(b(), {{1, g2_}, {2, r2_}}));
    services_->run();
  }

  /// A VM that was just started: its interface knows nothing.
  void forget_addresses(std::string const& vm) {
    std::string const ns = lab_->domain_ns(vm);
    ASSERT_TRUE(run("ip link set vm0 down", ns).ok());
    ASSERT_TRUE(run("ip addr flush dev vm0", ns).ok());
    ASSERT_TRUE(run("sh -c 'echo 1 > /proc/sys/net/ipv6/conf/vm0/accept_ra'", ns).ok());
    ASSERT_TRUE(run("ip link set vm0 up", ns).ok());
  }
  /// What a distribution's script does with a lease, and a copy of what it was told.
  Ran ask_dhcp(std::string const& vm) {
    std::string const script = lab_->directory + "/udhcpc";
    std::ofstream(script) << "#!/bin/sh\n"
                             "[ \"$1\" = bound ] || exit 0\n"
                             "env > " +
                                 lab_->directory +
                                 "/lease.$ip\n"
                                 "ip addr add $ip/$mask dev $interface\n"
                                 "ip link set $interface mtu $mtu\n"
                                 "set -- $staticroutes\n"
                                 "while [ $# -ge 2 ]; do\n"
                                 "  via=\"via $2\"; [ $2 = 0.0.0.0 ] && via=\n"
                                 "  ip route add $1 $via dev $interface; shift 2\n"
                                 "done\n"
                                 "{ echo search $search; echo nameserver $dns; } > " +
                                 lab_->directory + "/resolv\n";
    EXPECT_TRUE(run("chmod +x " + script).ok());
    return run(
        "busybox udhcpc -i vm0 -n -q -f -t 4 -T 1 -O search -O staticroutes -O mtu -s " + script,
        lab_->domain_ns(vm));
  }
  /// With that file as the VM's resolv.conf; `ip netns exec` has mounts of its own.
  Ran look_up(std::string const& vm, std::string const& command, std::string const& resolv) {
    return run("sh -c 'mount --bind " + resolv + " /etc/resolv.conf && " + command + "'",
               lab_->domain_ns(vm));
  }
  static bool has(Ran const& ran, std::string const& text) {
    return ran.output.find(text) != std::string::npos;
  }

  KnownVm const g1_{"g1", "green", kG1, mac_of(kG1)}, g2_{"g2", "green", kG2, mac_of(kG2)},
      r2_{"r2", "red", kR2, mac_of(kR2)};
  std::optional<ServicesLab> services_;
};

TEST_P(VmServicesTest, a_vm_gets_its_address_by_dhcp_and_finds_others_by_name) {
  if (!has(run("busybox --list"), "udhcpc")) {
    GTEST_SKIP() << "needs busybox with udhcpc (Debian package busybox-static)";
  }
  forget_addresses("g1");
  Ran const alone = ask_dhcp("g1");
  EXPECT_FALSE(alone.ok()) << "nobody serves yet: " << alone.output;
  EXPECT_GT(a().statistics(1).dropped_spoof, 0u) << "0.0.0.0 is no VM's address";

  serve();
  Ran const leased = ask_dhcp("g1");
  ASSERT_TRUE(leased.ok()) << leased.output;
  Ran const lease = run("cat " + lab_->directory + "/lease.10.77.0.1");
  for (char const* line :
       {"ip=10.77.0.1\n", "mask=16\n", "dns=169.254.53.1\n", "domain=vm.test.internal\n",
        "search=vm.test.internal\n", "mtu=1420\n", "hostname=g1\n", "lease=3600\n",
        "serverid=169.254.53.1\n", "router=10.77.255.254\n"}) {
    EXPECT_TRUE(has(lease, line)) << line << "not in\n" << lease.output;
  }
  EXPECT_TRUE(has(run("ip -4 addr show dev vm0", lab_->domain_ns("g1")), "10.77.0.1/16"));
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));

  std::string const resolv = lab_->directory + "/resolv";
  Ran const found = look_up("g1", "getent ahostsv4 g2", resolv);
  EXPECT_TRUE(has(found, "10.77.0.2")) << found.output;
  EXPECT_TRUE(has(look_up("g1", "getent hosts 10.77.0.2", resolv), "g2.vm.test.internal"));
  EXPECT_TRUE(has(look_up("g1", "getent ahostsv4 G2.VM.test.internal", resolv), "10.77.0.2"));
  for (char const* name : {"r2", "r2.vm.test.internal", "none", "10.77.0.3", "example.org"}) {
    Ran const missing = look_up("g1", std::string("getent hosts ") + name, resolv);
    EXPECT_FALSE(has(missing, "r2")) << missing.output;
    EXPECT_EQ(missing.status, 2) << name << ": " << missing.output;
  }
  Ran const forbidden =
      run("busybox nslookup r2.vm.test.internal 169.254.53.1", lab_->domain_ns("g1"));
  EXPECT_TRUE(has(forbidden, "NXDOMAIN")) << forbidden.output;
  // Red sees itself with the same name service, and not green.
  forget_addresses("r2");
  ASSERT_TRUE(ask_dhcp("r2").ok());
  EXPECT_TRUE(has(look_up("r2", "getent ahostsv4 r2", resolv), "10.77.0.3"));
  EXPECT_EQ(look_up("r2", "getent ahostsv4 g2", resolv).status, 2);
}

TEST_P(VmServicesTest, the_kernel_makes_its_address_of_the_advertisement) {
  serve();
  // g2 is up already and is told without a question; g1 asks.
  forget_addresses("g1");
  auto const address_of = [](Ipv4 vm) { return to_string(slaac_address(vm, mac_of(vm))); };
  for (auto const& [vm, address] : {std::pair{"g1", address_of(kG1)}, {"g2", address_of(kG2)}}) {
    std::string const ns = lab_->domain_ns(vm);
    auto const told = [&] { return run("ip -6 addr show dev vm0 scope global -tentative", ns); };
    EXPECT_TRUE(eventually([&] { return has(told(), address + "/64"); }, 8000)) << told().output;
    Ran const routes = run("ip -6 route show", ns);
    EXPECT_TRUE(has(routes, "default via fe80::53")) << routes.output;
    EXPECT_TRUE(has(run("cat /proc/sys/net/ipv6/conf/vm0/mtu", ns), "1420"));
  }
  EXPECT_TRUE(ping("g1", address_of(kG2), 3));
  // The name server by IPv6 alone.
  std::string const resolv = lab_->directory + "/resolv6";
  std::ofstream(resolv) << "search vm.test.internal\nnameserver fe80::53%vm0\n";
  Ran const found = look_up("g1", "getent ahostsv6 g2", resolv);
  EXPECT_TRUE(has(found, address_of(kG2))) << found.output;
  EXPECT_TRUE(has(look_up("g1", "getent hosts " + address_of(kG2), resolv), "g2.vm.test.internal"));
  EXPECT_EQ(look_up("g1", "getent ahosts r2", resolv).status, 2);
}

TEST_P(VmServicesTest, a_vm_that_asks_too_much_is_not_heard_and_harms_nobody) {
  serve();
  std::string const inside = lab_->domain_ns("g1");
  ASSERT_TRUE(run("ip route add 169.254.53.1/32 dev vm0", inside).ok());
  std::uint64_t const before = a().statistics(1).dropped_full;
  ASSERT_TRUE(
      run("sh -c 'head -c 4000 /dev/zero | socat -u -b 4 - UDP4-SENDTO:169.254.53.1:53'", inside)
          .ok());
  auto const dropped = [&] { return a().statistics(1).dropped_full - before; };
  // Not at once: a port that floods rests in between.
  EXPECT_TRUE(eventually(
      [&] { return dropped() >= 1000u - 2 * kServiceFramesPerSecond * GetParam(); }, 4000))
      << dropped();
  EXPECT_LE(dropped(), 1000u - kServiceFramesPerSecond);
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3)) << "what is for VMs goes on";
  EXPECT_TRUE(eventually(
      [&] { return run("busybox nslookup g2.vm.test.internal 169.254.53.1", inside).ok(); }, 4000));
}

TEST_P(VmServicesTest, only_the_gate_speaks_to_a_vm_through_the_socket) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd mine(ends[0]);
  {
    UniqueFd const theirs(ends[1]);
    ASSERT_DONE(a().attach_services(theirs));
  }
  auto const tell = [&](std::uint32_t port, MacAddress const& from) {
    Bytes frame = make_udp_frame(mac_of(kG1), Ipv4{0xa9fe3501}, 53, kG1, 9999, as_bytes("hello"));
    std::copy(from.octets.begin(), from.octets.end(), frame.begin() + 6);
    Bytes datagram(sizeof port);
    std::memcpy(datagram.data(), &port, sizeof port);
    append(datagram, frame);
    return ::send(mine.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0;
  };
  std::string const file = lab_->directory + "/heard";
  Process listener =
      start("socat -u UDP4-RECV:9999 OPEN:" + file + ",creat,append", lab_->domain_ns("g1"));
  ASSERT_TRUE(eventually(
      [&] { return run("sh -c 'ss -lun | grep -q :9999'", lab_->domain_ns("g1")).ok(); }));
  auto const heard = [&] { return run("cat " + file).output; };
  ASSERT_TRUE(tell(1, mac_of(kG2)));
  EXPECT_TRUE(eventually([&] { return a().statistics().dropped_spoof == 1; }));
  ASSERT_TRUE(tell(99, kGateMac)) << "a port that is not there";
  ASSERT_TRUE(tell(1, kGateMac));
  EXPECT_TRUE(eventually([&] { return heard() == "hello"; })) << heard();
  // The host monitor's end is gone: as before there was any.
  mine.reset();
  forget_addresses("g1");
  EXPECT_FALSE(ask_dhcp("g1").ok());
  EXPECT_TRUE(a().gate_running());
  // A descriptor that is none of these sockets is refused.
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd const stream(ends[0]), other(ends[1]);
  EXPECT_FALSE(a().attach_services(stream).has_value());
}

INSTANTIATE_TEST_SUITE_P(Workers, VmServicesTest, ::testing::Values(1u, 2u),
                         [](auto const& row) { return std::to_string(row.param); });

}  // namespace
}  // namespace shamon::netns
