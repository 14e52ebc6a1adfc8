// Real gates in namespaces: what passes, what does not, and what is said about it. The topology
// is drawn in gate_lab.hpp.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "netns/gate_lab.hpp"

namespace shamon::netns {
namespace {

#define ASSERT_DONE(status)                                     \
  do {                                                          \
    Status const done_ = (status);                              \
    ASSERT_TRUE(done_.has_value()) << done_.error().describe(); \
  } while (false)

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    lab_.emplace();
    lab_->up(kPolicyText);
    ASSERT_DONE(lab_->domain(a(), 1, "g1", "green", "10.77.0.1"));
    ASSERT_DONE(lab_->domain(b(), 1, "g2", "green", "10.77.0.2"));
    ASSERT_DONE(lab_->open_pair(1, "green"));
  }
  Machine& a() { return *lab_->a; }
  Machine& b() { return *lab_->b; }
  bool ping(std::string const& from, std::string const& address, int count = 1) {
    return run("ping -n -q -i 0.05 -W 1 -c " + std::to_string(count) + " " + address,
               lab_->domain_ns(from))
        .ok();
  }
  std::optional<GateLab> lab_;
};

TEST_F(GateTest, green_reaches_green_on_the_other_machine_through_esp) {
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  gate::Statistics const sent = a().statistics(0, 1);
  EXPECT_GE(sent.packets_out, 3u);
  EXPECT_GE(sent.packets_in, 3u);
  EXPECT_GT(sent.last_passed_ns, 0);
  EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::allow));
  EXPECT_TRUE(b().audited(Hook::flow_in, Verdict::allow));
}

}  // namespace
}  // namespace shamon::netns
