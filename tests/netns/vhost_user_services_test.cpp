// A QEMU guest that knows no address: it asks through its vhost-user card, and the host monitor
// answers through the gate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ipv4_text.hpp"
#include "netns/gate_fixture.hpp"
#include "netns/qemu_guest.hpp"
#include "netns/vm_services_fixture.hpp"

namespace shamon::netns {
namespace {

using ::testing::HasSubstr;

/// What a distribution's script does with a lease.
constexpr char const* kLeaseScript =
    "printf '#!/bin/sh\\n[ $1 = bound ] && env && ip addr add $ip/$mask dev eth0\\n' >/bin/lease; "
    "chmod +x /bin/lease; ip link set eth0 up";

class VhostUserServicesTest : public GateTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    std::string const missing = QemuGuest::missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    GateTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_DONE(b().route(kGuestAddress, "v1", "green", "a"));
    KnownVm const v1{"v1", "green", *parse_ipv4(kGuestAddress), kGuestMac};
    KnownVm const g2{"g2", "green", *parse_ipv4("10.77.0.2"), {}};
    services_.emplace(std::vector{v1, g2});
    ASSERT_DONE(services_->attach(a(), {{kGuestPort, v1}}));
    services_->run();
    QemuGuest::Options options = QemuGuest::v1(lab_->directory + "/v1", GetParam());
    options.spec.address = {};  // its command line says none
    guest_.emplace(options);
    ASSERT_DONE(guest_->attach_v1(a()));
    ASSERT_TRUE(guest_->has_booted()) << guest_->told();
  }
  void TearDown() override { guest_.reset(); }

  std::optional<ServicesLab> services_;
  std::optional<QemuGuest> guest_;
};

TEST_P(VhostUserServicesTest, a_guest_gets_its_lease_and_names_by_the_first_question_each) {
  ASSERT_TRUE(guest_->run(kLeaseScript).ok());
  // Each question is sent once (-t 1), and nobody else at this gate says a word: an answer that
  // lies in the ring until another frame comes is never seen.
  ASSERT_TRUE(run("ip link set vm0 down", lab_->domain_ns("g1")).ok());
  Ran const lease = guest_->run("udhcpc -i eth0 -n -q -f -t 1 -T 20 -s /bin/lease", 60);
  ASSERT_TRUE(lease.ok()) << lease.output;
  for (char const* line : {"ip=10.77.0.5\n", "mask=16\n", "dns=169.254.53.1\n"}) {
    EXPECT_THAT(lease.output, HasSubstr(line));
  }
  EXPECT_THAT(guest_->run("ip addr show dev eth0").output, HasSubstr("inet 10.77.0.5/16"));
  ASSERT_TRUE(guest_->run("ip route add 169.254.53.1 dev eth0").ok());
  Ran const name = guest_->run("nslookup g2.vm.test.internal 169.254.53.1");
  EXPECT_THAT(name.output, HasSubstr("10.77.0.2"));
  EXPECT_TRUE(ping("g2", kGuestAddress, 3));
  EXPECT_THAT(guest_->run("ping -c 1 -W 5 10.77.0.2").output, HasSubstr(" 0% packet loss"));
  EXPECT_TRUE(a().of<gate::PortFault>().empty());
}

INSTANTIATE_TEST_SUITE_P(Rings, VhostUserServicesTest, ::testing::Bool(),
                         [](auto const& each) { return each.param ? "packed" : "split"; });

}  // namespace
}  // namespace shamon::netns
