#include "config/toml_table.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

TEST(TomlTableReader, ReadsEveryShape) {
  auto t = TomlTable::parse(
      "a.toml",
      "name = 'x'\nn = 3\non = true\nl = ['a','b']\n[s]\nk = 1\n[[v]]\ni=1\n[[v]]\ni=2\n");
  ASSERT_TRUE(t.has_value());
  EXPECT_EQ(t->string("name"), "x");
  EXPECT_EQ(t->integer("n"), 3u);
  EXPECT_TRUE(t->boolean_or("on", false));
  EXPECT_EQ(t->strings_or("l", {}).size(), 2u);
  EXPECT_EQ(t->table("s").integer("k"), 1u);
  auto list = t->tables("v");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].integer("i"), 1u);
  EXPECT_EQ(list[1].integer("i"), 2u);
  EXPECT_EQ(t->integer_or("absent", 9), 9u);
  EXPECT_TRUE(t->finish().has_value());
}

TEST(TomlTableReader, NamesPlaceOfSyntaxErrors) {
  auto t = TomlTable::parse("a.toml", "x = 1\ny = = 2\n");
  ASSERT_FALSE(t.has_value());
  EXPECT_EQ(t.error().message.rfind("a.toml:2:", 0), 0u) << t.error().message;
}

TEST(TomlTableReader, CollectsAllErrorsWithTheirPlaces) {
  auto t = TomlTable::parse("a.toml", "n = 'three'\nextra = 1\n[s]\nwrong = 1\n[[v]]\n");
  ASSERT_TRUE(t.has_value());
  (void)t->integer("n");
  (void)t->string("missing");
  (void)t->table("s").string_or("k", "");
  (void)t->tables("v")[0].string("name");
  std::string const all = t->finish().error().message;
  EXPECT_NE(all.find("a.toml:1:5: 'n' must be a whole number"), std::string::npos) << all;
  EXPECT_NE(all.find("'missing' is missing"), std::string::npos) << all;
  EXPECT_NE(all.find("a.toml:2:9: 'extra' is not a known key"), std::string::npos) << all;
  EXPECT_NE(all.find("a.toml:4:9: 'wrong' is not a known key in [s]"), std::string::npos) << all;
  EXPECT_NE(all.find("'name' is missing in [[v]]"), std::string::npos) << all;
}

}  // namespace
}  // namespace shamon
