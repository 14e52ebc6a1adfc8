#include "policy/language/level_words.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

TEST(LevelWords, NamesAndRanksAgree) {
  for (auto name : kSecrecyNames) {
    ASSERT_TRUE(find_secrecy(name)) << name;
    EXPECT_EQ(secrecy_name(*find_secrecy(name)), name);
  }
  for (auto name : kIntegrityNames) {
    ASSERT_TRUE(find_integrity(name)) << name;
    EXPECT_EQ(integrity_name(*find_integrity(name)), name);
  }
  EXPECT_FALSE(find_secrecy("low"));
  EXPECT_FALSE(find_integrity("open"));
  EXPECT_EQ(secrecy_name({4, 0}), "");
  EXPECT_EQ(integrity_name({3, 0}), "");
}

}  // namespace
}  // namespace shamon
