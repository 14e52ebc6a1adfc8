#include "policy/language/spelling.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

struct SpellingRow {
  char const* name;
  char const* spelled;
};

TEST(Spelling, ANameIsBareWhereItCanBe) {
  SpellingRow const rows[] = {
      {"green", "green"},
      {"a.b-c_9", "a.b-c_9"},
      {"share", "\"share\""},
      {"internet", "\"internet\""},
      {"__UNLABELED__", "\"__UNLABELED__\""},
      {"res_HardDrive (hda)", "\"res_HardDrive (hda)\""},
      {"a\"b\\c", "\"a\\\"b\\\\c\""},
      {"\xc3\xa9", "\"\\xc3\\xa9\""},
      {"#,{}=->", "\"#,{}=->\""},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(spell_name(row.name), row.spelled);
    EXPECT_TRUE(is_policy_name(row.name));
    std::string const quoted = quote_text(row.name);
    EXPECT_EQ(quoted_length(quoted + " \"more\""), quoted.size());
    EXPECT_EQ(unquote_text(quoted), row.name);
  }
}

TEST(Spelling, WhatIsNotWellQuotedIsNone) {
  for (char const* text : {"", "a", "\"", "\"a", "\"a\\\"", "\"\\a\"", "\"\\x4\"", "\"\\xAB\"",
                           "\"\t\"", "\"\xc3\xa9\""}) {
    EXPECT_EQ(quoted_length(text), 0u) << text;
  }
  EXPECT_EQ(quoted_length("\"\"x"), 2u);
}

TEST(Spelling, ANameHidesNothing) {
  std::string const long_name(63, 'a');
  EXPECT_TRUE(is_policy_name(long_name));
  for (std::string const& name :
       {std::string(), long_name + "a", std::string("a\n"), std::string(" a"), std::string("a "),
        std::string("\xff"), std::string("a\xc2\x85"), std::string("a\xe2\x80\xae z"),
        std::string("a\xe2\x80\x8b"), std::string("a\xe2\x81\xa6"), std::string("\xef\xbb\xbf")}) {
    EXPECT_FALSE(is_policy_name(name)) << name;
  }
}

}  // namespace
}  // namespace shamon
