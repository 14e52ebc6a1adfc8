#include "net/handshake_budget.hpp"

#include <gtest/gtest.h>

#include "net/limits.hpp"

namespace shamon {
namespace {

constexpr Ipv4 kPeer{0x0a000001}, kOther{0x0a000002}, kStranger{0xc0000201}, kNext{0xc0000202};

struct HandshakeBudgetTest : testing::Test {
  Instant now{std::int64_t{1} << 40};
  HandshakeBudget budget{[](IpAddress const& from) { return from == kPeer || from == kOther; }};

  /// How many of so many that begin and end at once are let through.
  int let_through(Ipv4 from, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += budget.take(from, now) ? 1 : 0;
    return count;
  }
};

TEST_F(HandshakeBudgetTest, a_burst_then_so_many_a_second) {
  EXPECT_EQ(let_through(kPeer, 10 * kHandshakesBurst), kHandshakesBurst);
  now = now + std::chrono::milliseconds(500);
  EXPECT_EQ(let_through(kPeer, 10 * kHandshakesBurst), kHandshakesPerSecond / 2);
  now = now + std::chrono::hours(1);
  EXPECT_EQ(let_through(kPeer, 10 * kHandshakesBurst), kHandshakesBurst) << "no more is saved up";
}

TEST_F(HandshakeBudgetTest, strangers_share_one_account_and_who_is_known_has_his_own) {
  EXPECT_EQ(let_through(kStranger, 10 * kHandshakesBurst), kHandshakesBurst);
  EXPECT_EQ(let_through(kNext, 1), 0);
  EXPECT_EQ(let_through(kPeer, 10 * kHandshakesBurst), kHandshakesBurst);
  EXPECT_EQ(let_through(kOther, 1), 1);
}

TEST_F(HandshakeBudgetTest, so_many_at_a_time_whenever_they_began) {
  std::vector<HandshakeBudget::Ticket> held;
  for (unsigned i = 0; i < kHandshakesRunningMax; ++i) {
    held.push_back(budget.take(kPeer, now));
    ASSERT_NE(held.back(), nullptr);
    now = now + std::chrono::seconds(1);
  }
  EXPECT_EQ(budget.take(kPeer, now), nullptr);
  held.pop_back();
  EXPECT_NE(budget.take(kPeer, now), nullptr);
}

TEST_F(HandshakeBudgetTest, forgets_whoever_is_idle_but_not_what_is_owed) {
  HandshakeBudget all([](IpAddress const&) { return true; });
  auto const held = all.take(kPeer, now);
  for (std::uint32_t i = 0; i < 3 * kHandshakeAccountsSwept; ++i) {
    EXPECT_NE(all.take(Ipv4{0x0b000000 + i}, now), nullptr);
    now = now + std::chrono::milliseconds(1);
  }
  // A forgotten account would not count the one that is held.
  std::vector<HandshakeBudget::Ticket> more;
  now = now + std::chrono::seconds(10);
  while (auto ticket = all.take(kPeer, now)) more.push_back(std::move(ticket));
  EXPECT_EQ(more.size(), kHandshakesRunningMax - 1);
}

}  // namespace
}  // namespace shamon
