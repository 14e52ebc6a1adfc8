#include "tunnel/replay_window.hpp"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace shamon {
namespace {

constexpr std::uint32_t kWindow = kReplayWindowPackets;

TEST(ReplayWindow, judges_single_numbers_after_a_history) {
  struct Row {
    char const* name;
    std::vector<std::uint32_t> history;
    std::uint32_t sequence;
    bool accepted;
  };
  Row const rows[] = {
      {"zero is never valid", {}, 0, false},
      {"the first packet", {}, 1, true},
      {"the first packet again", {1}, 1, false},
      {"the next", {1}, 2, true},
      {"a late one inside", {5}, 4, true},
      {"a late one twice", {5, 4}, 4, false},
      {"the oldest inside the window", {kWindow + 1}, 2, true},
      {"just outside the window", {kWindow + 1}, 1, false},
      {"far behind", {10 * kWindow}, 3, false},
      {"a jump over the whole ring", {7, 7 + 100 * kWindow}, 6 + 100 * kWindow, true},
      {"what a jump left behind", {7, 7 + 100 * kWindow}, 7, false},
      {"the last number there is", {1}, 0xffffffff, true},
      {"the last number again", {0xffffffff}, 0xffffffff, false},
      {"inside the window at the end", {0xffffffff}, 0xffffffff - kWindow + 1, true},
      {"outside the window at the end", {0xffffffff}, 0xffffffff - kWindow, false},
  };
  for (Row const& row : rows) {
    ReplayWindow window;
    for (std::uint32_t sequence : row.history) ASSERT_TRUE(window.accept(sequence)) << row.name;
    EXPECT_EQ(window.may_accept(row.sequence), row.accepted) << row.name;
    EXPECT_EQ(window.accept(row.sequence), row.accepted) << row.name;
    EXPECT_FALSE(window.accept(row.sequence)) << row.name << ", and never twice";
  }
}

TEST(ReplayWindow, agrees_with_a_set_of_all_numbers_seen) {
  std::mt19937 engine(20071113);
  auto random = [&](std::uint32_t below) { return static_cast<std::uint32_t>(engine() % below); };
  for (std::uint32_t spread : {10u, 200u, kWindow - 1, kWindow + 70, 3 * kWindow}) {
    ReplayWindow window;
    std::set<std::uint32_t> seen;
    std::uint32_t highest = 0, base = 1;
    for (int i = 0; i < 20000; ++i) {
      std::uint32_t const sequence = base + random(spread);
      if (random(4) == 0) base += random(spread / 4 + 2);
      bool const expected =
          (sequence > highest || highest - sequence < kWindow) && !seen.contains(sequence);
      ASSERT_EQ(window.accept(sequence), expected) << "spread " << spread << " step " << i;
      if (!expected) continue;
      seen.insert(sequence);
      highest = std::max(highest, sequence);
    }
    EXPECT_EQ(window.highest(), highest);
  }
}

TEST(ReplayWindow, finds_the_upper_half_of_an_extended_number) {
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 32;
  struct Row {
    char const* name;
    std::uint64_t highest;
    std::uint64_t sent;
  };
  constexpr Row kRows[] = {
      {"the first", 0, 1},
      {"within the first half", 5000, 5001},
      {"across the border", kHalf - 2, kHalf + 3},
      {"late, from before the border", kHalf + 100, kHalf - 50},
      {"the oldest in the window", kHalf + 100, kHalf + 101 - kReplayWindowPackets},
      {"far ahead", kHalf, 2 * kHalf - kReplayWindowPackets},
      {"much later", 7 * kHalf + 9, 7 * kHalf + 10},
  };
  for (Row const& row : kRows) {
    ReplayWindow window;
    if (row.highest != 0) {
      ASSERT_TRUE(window.accept(row.highest));
    }
    EXPECT_EQ(window.extend(static_cast<std::uint32_t>(row.sent)), row.sent) << row.name;
    EXPECT_TRUE(window.accept(row.sent)) << row.name;
    EXPECT_FALSE(window.accept(row.sent)) << row.name;
  }
}

}  // namespace
}  // namespace shamon
