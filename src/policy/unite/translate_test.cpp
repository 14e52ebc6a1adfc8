#include "policy/unite/translate.hpp"

#include "policy/unite/unite_fixture.hpp"

namespace shamon {
namespace {

TEST(Translate, ASiteWithMapsIsUnderstoodByThemAlone) {
  auto const policy = build_for_union(
      "a.policy",
      "coalition home revision 3\nlabel green { }\nlabel red { }\n"
      "map campus { gruen = green  red = green }\nmap campus { rot = red  gruen = green }\n"
      "map twice { x = green }\nmap twice { y = red  x = green }\n"
      "map chained { green = red  blue = green }\n");
  ASSERT_NE(policy, nullptr);
  struct {
    char const* what;
    char const* site;
    char const* theirs;
    char const* expected;
  } const rows[] = {
      {"mapped", "campus", "gruen", "green a.policy:4:14"},
      {"mapped in a later statement", "campus", "rot", "red a.policy:5:14"},
      {"a name of ours that means another label there", "campus", "red", "green a.policy:4:29"},
      {"a name of ours that the site does not map", "campus", "green", "not found"},
      {"unknown", "campus", "blau", "not found"},
      {"a site without map uses our names", "elsewhere", "green", "green :0:0"},
      {"a site without map, unknown", "elsewhere", "gruen", "not found"},
      {"said twice", "twice", "x", "green a.policy:6:13"},
      {"beside it", "twice", "y", "red a.policy:7:13"},
      {"one step, not two", "chained", "blue", "green a.policy:8:28"},
      {"the name of a site is compared whole", "campu", "gruen", "not found"},
      {"no label", "campus", "", "not found"},
  };
  for (auto const& row : rows) {
    auto const found = translate(LabelName(row.theirs), row.site, *policy->document);
    std::string text = found ? "" : std::string(to_string(found.error().code));
    if (found) {
      EXPECT_EQ(found->revision, Revision(3));
      text = found->ours.value() + " " + found->map.file + ":" + std::to_string(found->map.line) +
             ":" + std::to_string(found->map.column);
    }
    EXPECT_EQ(text, row.expected) << row.what;
  }
}

}  // namespace
}  // namespace shamon
