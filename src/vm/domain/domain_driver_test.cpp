#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "monitor/permit_fixture.hpp"
#include "vm/driver.hpp"

namespace shamon {
namespace {

/// A device the kernel names; gone when its last descriptor is closed.
UniqueFd make_device(int kind) {
  UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  ifreq request{};
  request.ifr_flags = static_cast<short>(kind | IFF_NO_PI);
  if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) return UniqueFd();
  return fd;
}

VmSpec domain_spec(char const* name) {
  VmSpec spec;
  spec.name = VmName(name);
  spec.kind = "domain";
  return spec;
}

class DomainDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto tap = make_device(IFF_TAP);
    if (!tap) GTEST_SKIP() << "needs CAP_NET_ADMIN and /dev/net/tun to make a TAP";
    TapQueues taps;
    taps["a"].push_back(std::move(tap));
    taps["tun"].push_back(make_device(IFF_TUN));
    taps["file"].emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
    driver_ = make_domain_driver(std::move(taps));
  }
  PermitFixture permits_;
  std::unique_ptr<Driver> driver_;
};

TEST_F(DomainDriverTest, ADomainRunsStopsAndRunsAgain) {
  for (int round = 0; round < 2; ++round) {
    auto vm = driver_->start(permits_.start("a"), domain_spec("a"));
    ASSERT_TRUE(vm) << vm.error().describe();
    EXPECT_EQ((*vm)->state(), VmState::running);
    EXPECT_EQ((*vm)->exit_fd(), -1);
    EXPECT_TRUE((*vm)->console_path().empty());
    auto port = (*vm)->take_port();
    ASSERT_TRUE(port);
    EXPECT_EQ(port->kind, PortDescriptor::Kind::tap);
    ifreq request{};
    EXPECT_EQ(::ioctl(port->descriptors[0].get(), TUNGETIFF, &request), 0);
    EXPECT_FALSE((*vm)->take_port()) << "can be taken once";
    auto const agent = (*vm)->take_agent_channel();
    ASSERT_TRUE(agent);
    EXPECT_FALSE(agent->has_value());
    EXPECT_TRUE((*vm)->suspend());
    EXPECT_EQ((*vm)->state(), VmState::suspended);
    EXPECT_FALSE((*vm)->resume(permits_.start("b"))) << "permit of another VM";
    EXPECT_TRUE((*vm)->resume(permits_.start("a")));
    EXPECT_FALSE((*vm)->stop(permits_.stop("b"))) << "permit of another VM";
    EXPECT_TRUE((*vm)->stop(permits_.stop("a")));
    EXPECT_EQ((*vm)->state(), VmState::stopped);
    EXPECT_FALSE((*vm)->resume(permits_.start("a"))) << "a stopped domain is not resumed";
  }
}

TEST_F(DomainDriverTest, OnlyWhatWasPassedCanStart) {
  struct Case {
    char const* permit;
    VmSpec spec;
    Errc expected;
  };
  VmSpec qemu = domain_spec("a");
  qemu.kind = "qemu";
  Case const cases[] = {
      {"a", domain_spec("file"), Errc::denied},
      {"unknown", domain_spec("unknown"), Errc::not_found},
      {"file", domain_spec("file"), Errc::invalid},
      {"tun", domain_spec("tun"), Errc::invalid},
      {"a", qemu, Errc::invalid},
  };
  for (auto const& test : cases) {
    auto const vm = driver_->start(permits_.start(test.permit), test.spec);
    ASSERT_FALSE(vm) << test.spec.name.value();
    EXPECT_EQ(vm.error().code, test.expected) << test.spec.name.value();
  }
}

}  // namespace
}  // namespace shamon
