#include "audit/limiter.hpp"

#include <gtest/gtest.h>

#include "audit/chain_fixture.hpp"
#include "audit/limits.hpp"

namespace shamon {
namespace {

constexpr Instant kStart{1'000'000'000};

AuditRow to_port(std::string const& vm, int port) {
  AuditRow row = denied_flow(vm);
  row.service = "tcp/" + std::to_string(port);
  return row;
}

std::uint64_t sum(std::vector<AuditRow> const& rows) {
  std::uint64_t out = 0;
  for (auto const& row : rows) out += row.count;
  return out;
}

TEST(AuditLimiter, a_scan_of_all_ports_is_some_rows_and_one_summary_of_the_rest) {
  AuditLimiter limiter;
  std::uint64_t written = 0;
  for (int port = 1; port <= 65535; ++port) written += limiter.admit(to_port("vm-a", port), kStart);
  EXPECT_EQ(written, kAuditBurst);
  EXPECT_EQ(limiter.held_back(), 65535 - kAuditBurst);
  EXPECT_TRUE(limiter.due(kStart + kAuditSummaryPeriod - Duration(1), WallTime{5}).empty());
  auto const told = limiter.due(kStart + kAuditSummaryPeriod, WallTime{5});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].summary);
  EXPECT_EQ(told[0].count, 65535 - kAuditBurst);
  EXPECT_EQ(told[0].subject, "vm-a");
  EXPECT_EQ(told[0].verdict, "denied");
  EXPECT_EQ(told[0].subject_label, "red");
  EXPECT_TRUE(told[0].service.empty());
  EXPECT_EQ(told[0].text.find("65515 more like this were not written since "), 0u) << told[0].text;
  EXPECT_TRUE(limiter.due(kStart + 2 * kAuditSummaryPeriod, WallTime{5}).empty()) << "told once";
}

TEST(AuditLimiter, one_vm_does_not_use_up_what_another_may_write) {
  AuditLimiter limiter;
  for (int port = 1; port < 1000; ++port) limiter.admit(to_port("vm-a", port), kStart);
  EXPECT_TRUE(limiter.admit(to_port("vm-b", 1), kStart));
  AuditRow other_reason = to_port("vm-a", 1);
  other_reason.reason = "spoofed source address";
  EXPECT_TRUE(limiter.admit(other_reason, kStart));
  EXPECT_FALSE(limiter.admit(to_port("vm-a", 1), kStart));
}

TEST(AuditLimiter, tokens_come_back_one_a_period_up_to_the_burst) {
  AuditLimiter limiter;
  auto admitted = [&](Instant now) {
    int out = 0;
    while (limiter.admit(to_port("vm-a", 1), now)) ++out;
    return out;
  };
  EXPECT_EQ(admitted(kStart), static_cast<int>(kAuditBurst));
  EXPECT_EQ(admitted(kStart + kAuditRefill - Duration(1)), 0);
  EXPECT_EQ(admitted(kStart + kAuditRefill), 1);
  EXPECT_EQ(admitted(kStart + 3 * kAuditRefill), 2);
  EXPECT_EQ(admitted(kStart + 1000 * kAuditRefill), static_cast<int>(kAuditBurst));
}

TEST(AuditLimiter, a_vms_life_and_policy_are_never_held_back) {
  AuditLimiter limiter;
  for (char const* hook : {"vm_define", "vm_start", "vm_stop", "port_attach", "device_assign",
                           "association_close", "policy_load", "vm_migrate"}) {
    AuditRow row = denied_flow();
    row.hook = hook;
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(limiter.admit(row, kStart)) << hook;
  }
}

TEST(AuditLimiter, what_is_written_and_what_is_told_add_up_whatever_comes) {
  AuditLimiter limiter;
  std::uint64_t sent = 0;
  std::uint64_t seen = 0;
  Instant now = kStart;
  // More VMs than there are buckets, so that some have to make room for others.
  for (int round = 0; round < 30; ++round) {
    for (std::size_t vm = 0; vm < kAuditBucketsMax + 50; ++vm) {
      AuditRow row = to_port("vm-" + std::to_string(vm), round);
      row.count = 1 + vm % 3;
      sent += row.count;
      if (limiter.admit(row, now)) seen += row.count;
    }
    now = now + std::chrono::seconds(1);
    seen += sum(limiter.due(now, WallTime{5}));
  }
  AuditRow const loud = to_port("loud", 1);
  for (int i = 0; i < 100; ++i, ++sent) seen += limiter.admit(loud, now);
  EXPECT_LT(seen, sent);
  seen += sum(limiter.all(WallTime{6}));
  EXPECT_EQ(seen, sent);
  EXPECT_TRUE(limiter.all(WallTime{6}).empty());
}

}  // namespace
}  // namespace shamon
