#include "label/levels.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace shamon {
namespace {

// Every level over three ranks and two categories: small enough to check laws exhaustively.
std::vector<Level> all_levels() {
  std::vector<Level> levels;
  for (std::uint8_t rank = 0; rank < 3; ++rank) {
    for (std::uint64_t categories = 0; categories < 4; ++categories) {
      levels.push_back({rank, categories});
    }
  }
  return levels;
}

TEST(Levels, DominatesIsAPartialOrder) {
  auto const levels = all_levels();
  for (Level a : levels) {
    EXPECT_TRUE(dominates(a, a));
    for (Level b : levels) {
      if (dominates(a, b) && dominates(b, a)) {
        EXPECT_EQ(a, b);
      }
      for (Level c : levels) {
        if (dominates(a, b) && dominates(b, c)) {
          EXPECT_TRUE(dominates(a, c));
        }
      }
    }
  }
}

TEST(Levels, CategoriesMakeLevelsIncomparable) {
  EXPECT_FALSE(dominates({2, 1}, {0, 2}));
  EXPECT_FALSE(dominates({0, 2}, {2, 1}));
  EXPECT_TRUE(dominates({2, 3}, {0, 2}));
}

struct FlowRow {
  char const* what;
  Levels from, to;
  bool flows;
};

TEST(Levels, SecrecyFlowsUpAndIntegrityFlowsDown) {
  FlowRow const rows[] = {
      {"equal levels", {{1, 0}, {1, 0}}, {{1, 0}, {1, 0}}, true},
      {"open to secret", {{0, 0}, {0, 0}}, {{3, 0}, {0, 0}}, true},
      {"secret to open", {{3, 0}, {0, 0}}, {{0, 0}, {0, 0}}, false},
      {"high to low integrity", {{0, 0}, {2, 0}}, {{0, 0}, {0, 0}}, true},
      {"low to high integrity", {{0, 0}, {0, 0}}, {{0, 0}, {2, 0}}, false},
      {"up in both", {{0, 0}, {0, 0}}, {{1, 0}, {1, 0}}, false},
  };
  for (auto const& row : rows) EXPECT_EQ(may_flow(row.from, row.to), row.flows) << row.what;
}

}  // namespace
}  // namespace shamon
