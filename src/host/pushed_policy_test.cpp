#include "host/pushed_policy.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

TEST(PushedPolicy, WhatIsNotWhollyRightIsNoPolicy) {
  struct {
    std::string text;
    Errc code;
    std::string part;  ///< of the message
  } const rows[] = {
      {"", Errc::malformed, "p:1:1: 'coalition NAME revision N' is missing"},
      {"coalition c revision 8\nlable x { }\nlabel y { share t }\n", Errc::malformed,
       "p:2:1: 'lable' does not start a statement; did you mean 'label'?; p:3:17: type 't' is not "
       "defined"},
      {"coalition c revision 8\nallow a <-> b\n", Errc::malformed, "p:2:7: label 'a'"},
      {"coalition c revision 8\ninclude \"/etc/passwd\"\n", Errc::malformed, "stands alone"},
      {"coalition c revision 8\ninclude \"b.policy\"\n", Errc::malformed, "stands alone"},
      {"coalition c revision 7\n", Errc::conflict, "another revision"},
      {"coalition c revision 9\n", Errc::conflict, "another revision"},
  };
  for (auto const& row : rows) {
    auto const read = read_pushed_policy("p", row.text, Revision(8));
    ASSERT_FALSE(read) << row.text;
    EXPECT_EQ(read.error().code, row.code) << row.text;
    EXPECT_NE(read.error().message.find(row.part), std::string::npos) << read.error().message;
  }
  auto const read = read_pushed_policy("p", "coalition c revision 8 \"autumn\"\n", Revision(8));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->compiled.revision(), Revision(8));
}

}  // namespace
}  // namespace shamon
