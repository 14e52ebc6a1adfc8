#include "label/types.hpp"

#include <initializer_list>

#include <gtest/gtest.h>

namespace shamon {
namespace {

TypeSet types(std::initializer_list<std::size_t> indexes) {
  TypeSet set;
  for (std::size_t i : indexes) set.set(i);
  return set;
}

struct ShareRow {
  char const* what;
  TypeSet a, b;
  bool share;
};

TEST(Types, SharingNeedsACommonType) {
  ShareRow const rows[] = {
      {"the same single type", types({1}), types({1}), true},
      {"one of several", types({1, 2}), types({2, 3}), true},
      {"different types", types({1}), types({2}), false},
      {"no types at all", types({}), types({}), false},
      {"no types and some", types({}), types({1}), false},
      {"first and last index", types({0}), types({kTypesMax - 1}), false},
      {"the last index", types({kTypesMax - 1}), types({kTypesMax - 1}), true},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(have_common_type(row.a, row.b), row.share) << row.what;
    EXPECT_EQ(have_common_type(row.b, row.a), row.share) << row.what << ", the other way";
  }
}

struct WallRow {
  char const* what;
  TypeSet wall, a, b;
  bool breaks;
};

TEST(Types, AWallIsBrokenByTwoOfItsTypesOnOneMachine) {
  WallRow const rows[] = {
      {"the two sides of the wall", types({1, 2}), types({1}), types({2}), true},
      {"the same side twice", types({1, 2}), types({1}), types({1}), false},
      {"one side and a stranger", types({1, 2}), types({1}), types({3}), false},
      {"two strangers", types({1, 2}), types({3}), types({4}), false},
      {"two of three sides", types({1, 2, 3}), types({3}), types({1}), true},
      {"a label on both sides, beside itself", types({1, 2}), types({1, 2}), types({1, 2}), true},
      {"a label on both sides, beside one side", types({1, 2}), types({1, 2}), types({1}), true},
      {"a label on both sides, beside a stranger", types({1, 2}), types({1, 2}), types({3}), false},
      {"an empty wall", types({}), types({1}), types({2}), false},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(breaks_wall(row.wall, row.a, row.b), row.breaks) << row.what;
    EXPECT_EQ(breaks_wall(row.wall, row.b, row.a), row.breaks) << row.what << ", the other way";
  }
}

}  // namespace
}  // namespace shamon
