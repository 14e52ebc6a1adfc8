#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

struct FormatRow {
  char const* written;
  char const* canonical;
};

TEST(Format, EveryStatementHasOneSpelling) {
  FormatRow const rows[] = {
      {"  coalition   boinc\trevision 7  ", "coalition boinc revision 7\n"},
      {"coalition b revision 7\"a  b\"#x", "coalition b revision 7 \"a  b\"  #x\n"},
      {"include\"a/b.policy\"", "include \"a/b.policy\"\n"},
      {"type a,b c", "type a b c\n"},
      {"label x{}", "label x { }\n"},
      {"label x {guard integrity low secrecy open wall a share b,c}",
       "label x { share b c  wall a  secrecy open  integrity low  guard }\n"},
      {"category a,b c", "category a b c\n"},
      {"label x {integrity high{b,a} secrecy secret {a}}",
       "label x { secrecy secret {a}  integrity high {b, a} }\n"},
      {"label x { wall none }", "label x { wall none }\n"},
      {"wall w{a,b}", "wall w { a b }\n"},
      {"allow a->b", "allow a -> b\n"},
      {"allow a<->b tcp/443, udp/1-2 icmp tcp", "allow a <-> b tcp/443 udp/1-2 icmp tcp\n"},
      {"member host when location in {x} and attested within 120s and platform in {p q}",
       "member host when platform in {p, q} and attested within 2m and location in {x}\n"},
      {"member vm green when image in{a b}", "member vm green when image in {a, b}\n"},
      {"goal a never reaches b except through {g}", "goal a never reaches b except through g\n"},
      {"goal a never reaches b except through {g h}",
       "goal a never reaches b except through {g, h}\n"},
      {"map s{x=a,y=b}", "map s { x = a  y = b }\n"},
      {"label \"x\"{share\"share\",\"b c\"wall\"d\"}",
       "label x { share \"share\" \"b c\"  wall d }\n"},
      {"goal internet never reaches \"share\"", "goal internet never reaches \"share\"\n"},
      {"map \"a b\"{\"\\xc3\\xa9\"=\"e\"}", "map \"a b\" { \"\\xc3\\xa9\" = e }\n"},
      {"type a#  why  ", "type a  #  why\n"},
      {"   # alone", "# alone\n"},
      {"\n\n\ntype a\n\n\n\ntype b\n\n", "type a\n\ntype b\n"},
      {"type a\r\ntype b\r\n", "type a\ntype b\n"},
      {"", ""},
  };
  for (auto const& row : rows) {
    auto const formatted = format_policy("p", row.written);
    ASSERT_TRUE(formatted) << row.written << formatted.error().describe();
    EXPECT_EQ(*formatted, row.canonical);
    EXPECT_EQ(format_policy("p", *formatted).value(), *formatted) << "idempotent";
  }
}

TEST(Format, WhatCannotBeReadIsNotRewritten) {
  auto const formatted = format_policy("p", "type a\nlable x { }\n");
  ASSERT_FALSE(formatted);
  EXPECT_EQ(formatted.error().message,
            "p:2:1: 'lable' does not start a statement; did you mean 'label'?");
}

}  // namespace
}  // namespace shamon
