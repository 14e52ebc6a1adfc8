#include <functional>

#include <gtest/gtest.h>

#include "label/limits.hpp"
#include "policy/decide.hpp"
#include "policy/document.hpp"
#include "policy/limits.hpp"
#include "policy/source.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

std::string refusals(std::string const& text) {
  auto const build = build_policy("p", text);
  if (build) return "accepted";
  std::string all;
  for (auto const& diagnostic : build.error()) all += diagnostic.describe() + "\n";
  return all;
}

// A whole policy around one line in question, which is line 8.
std::string around(std::string const& line) {
  return "coalition c revision 1\n"
         "type green_t red_t blue_t\n"
         "label green { share green_t }\n"
         "label red { share red_t }\n"
         "label blue { share blue_t }\n"
         "label filter { guard }\n"
         "wall vendors { red_t blue_t }\n" +
         line + "\n";
}

struct ErrorRow {
  char const* line;
  char const* message;  ///< from the column on
};

TEST(Language, EachMistakeIsNamedAtItsPlace) {
  ErrorRow const rows[] = {
      {"lable x { }", "1: 'lable' does not start a statement; did you mean 'label'?"},
      {"zzz", "1: 'zzz' does not start a statement"},
      {"allow gren <-> green", "7: label 'gren' is not defined; did you mean 'green'?"},
      {"allow green <-> grene", "17: label 'grene' is not defined; did you mean 'green'?"},
      {"allow green <-> zzzzzz", "17: label 'zzzzzz' is not defined"},
      {"allow green red", "13: expected '->' or '<->', found 'red'"},
      {"allow green ->", "15: expected a label, found the end of the line"},
      {"allow green -> red tcp/443",
       "20: TCP informs both ends, so it cannot be one-way; write '<->'"},
      {"allow green -> red tcp", "20: TCP informs both ends, so it cannot be one-way; write '<->'"},
      {"allow green -> red udp/0", "20: a port is a number from 1 to 65535"},
      {"allow green -> red udp/65536", "20: a port is a number from 1 to 65535"},
      {"allow green -> red udp/9-8", "20: a port range ends with a port not below its first"},
      {"allow green -> red any", "20: leave out 'any': an allow without service allows every one"},
      {"allow green -> red sctp/1",
       "20: 'sctp/1' is not a service; write tcp/443, udp/9000, udp/9000-9010, tcp, udp, icmp, "
       "icmp6 or any"},
      {"type green_t", "6: type 'green_t' is already defined on line 2"},
      {"type", "5: expected a type's name, found the end of the line"},
      {"type a a", "8: 'a' is there twice"},
      {"type guard", "6: 'guard' is a word of the language; in quotes it can be a name"},
      {"label internet { }", "7: 'internet' is a word of the language; in quotes it can be a name"},
      {"label green { }", "7: label 'green' is already defined on line 3"},
      {"label x", "8: expected '{', found the end of the line"},
      {"label x { share }", "17: expected a type's name, found '}'"},
      {"label x { share green_t",
       "24: expected an attribute (share, wall, secrecy, integrity, guard) or '}', found the end "
       "of the line"},
      {"label x { share gren_t }", "17: type 'gren_t' is not defined; did you mean 'green_t'?"},
      {"label x { shear green_t }",
       "11: 'shear' is not an attribute of a label; did you mean 'share'?"},
      {"label x { guard guard }", "17: 'guard' is there twice"},
      {"label x { secrecy high }",
       "19: 'high' is not a level of secrecy (open, internal, confidential, secret)"},
      {"label x { integrity open }", "21: 'open' is not a level of integrity (low, medium, high)"},
      {"label x { secrecy secret { } }", "28: expected a category, found '}'"},
      {"label x { secrecy secret {pay",
       "30: expected a category or '}', found the end of the line"},
      {"label x { secrecy secret {pay pay} }", "31: 'pay' is there twice"},
      {"label x { {payroll} }",
       "11: expected an attribute (share, wall, secrecy, integrity, guard) or '}', found '{'"},
      {"category guard", "10: 'guard' is a word of the language; in quotes it can be a name"},
      {"category", "9: expected a category's name, found the end of the line"},
      {"label x { share red_t blue_t }",
       "7: label 'x' stands on both sides of wall 'vendors' and could never start; say 'wall none' "
       "or name its side with 'wall TYPE'"},
      {"label \"x",
       "7: text in quotes ends on the same line and is printable ASCII; \\\" \\\\ and "
       "\\xHH stand for the rest"},
      {"label \"\" { }",
       "7: a name has 1 to 63 bytes of UTF-8 that can be seen, and no blank at either end"},
      {"label \"a\\x0a\" { }",
       "7: a name has 1 to 63 bytes of UTF-8 that can be seen, and no blank at either end"},
      {"allow \"gren\" <-> green", "7: label 'gren' is not defined; did you mean 'green'?"},
      {"goal \"internet\" never reaches red", "6: a goal cannot name a label 'internet'"},
      {"coalition \"d\" revision 2", "11: expected the coalition's name, found '\"d\"'"},
      {"coalition d revision 2 \"a\\\\b\"", "24: no '\\' here"},
      {"wall w { red_t }", "17: a wall needs at least two types to keep apart"},
      {"wall w { }", "10: expected a type's name, found '}'"},
      {"wall vendors { red_t green_t }", "6: wall 'vendors' is already defined on line 7"},
      {"coalition d revision 2", "1: the coalition is already named on line 1"},
      {"member host", "12: expected 'when', found the end of the line"},
      {"member guest when", "8: expected 'host' or 'vm', found 'guest'"},
      {"member host when",
       "17: expected a condition (platform, attested, location), found the end of the line"},
      {"member host when platfrom in {a}",
       "18: 'platfrom' is not a condition on machines; did you mean 'platform'?"},
      {"member host when platform in {a} and platform in {b}", "38: 'platform' is there twice"},
      {"member host when platform in {a} or location in {b}",
       "34: expected the end of the line, found 'or'"},
      {"member host when attested within 0s",
       "34: expected a duration like 60s (units ms, s, m, h), found '0s'"},
      {"member host when attested within 60",
       "34: expected a duration like 60s (units ms, s, m, h), found '60'"},
      {"member host when attested within 8761h",
       "34: expected a duration like 60s (units ms, s, m, h), found '8761h'"},
      {"member vm grene when image in {a}",
       "11: label 'grene' is not defined; did you mean 'green'?"},
      {"goal green never reaches gren", "26: label 'gren' is not defined; did you mean 'green'?"},
      {"goal green never reaches green", "26: a label always reaches itself"},
      {"goal green never reaches red except through blue", "45: label 'blue' is not a guard"},
      {"goal green reaches red", "12: expected 'never', found 'reaches'"},
      {"map s { }", "9: expected their label, found '}'"},
      {"map s { a = gren }", "13: label 'gren' is not defined; did you mean 'green'?"},
      {"map s { a = green a = red }", "19: 'a' is mapped twice"},
      {"map s { a = green a = green }", "19: 'a' is mapped twice"},
      {"label x { } y", "13: expected the end of the line, found 'y'"},
      {"type $x", "6: unexpected character '$'"},
      {"type \x01", "6: unexpected character '?'"},
      {"label -x { }", "7: expected the label's name, found '-x'"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(refusals(around(row.line)), "p:8:" + std::string(row.message) + "\n") << row.line;
  }
}

TEST(Language, CategoriesAreNamesOfTheirOwnForBothKindsOfLevel) {
  std::string const head = "coalition c revision 1\ntype payroll audit\n";
  auto const build =
      build_policy("p", head +
                            "label x { secrecy secret {audit payroll}  integrity high {audit} }\n"
                            "category payroll, audit\n"
                            "category lab\n"
                            "label y { secrecy open {lab} }\n");
  ASSERT_TRUE(build) << build.error().front().describe();
  auto const& labels = build->compiled.tables().rules.labels;
  EXPECT_EQ(labels[0].label.levels, (Levels{{3, 3}, {2, 2}}));
  EXPECT_EQ(labels[1].label.levels, (Levels{{0, 4}, {0, 0}}));
  EXPECT_EQ(build->document->categories[0].names[1].text, "audit");
  EXPECT_EQ(build->document->labels[0].integrity_categories[0].text, "audit");
  EXPECT_EQ(refusals(head + "category lab\nlabel x { secrecy secret {payroll lba} }"),
            "p:4:27: category 'payroll' is not defined\n"
            "p:4:35: category 'lba' is not defined; did you mean 'lab'?\n");
  EXPECT_EQ(refusals(head + "category lab\ncategory x lab"),
            "p:4:12: category 'lab' is already defined on line 3\n");
}

TEST(Language, StatementsAboutOneSiteMustMapAlike) {
  std::string const head = "coalition c revision 1\nlabel x { }\nlabel y { }\nmap s { a = x }\n";
  EXPECT_EQ(refusals(head + "map t { a = y }\nmap s { a = x  b = y }\n"), "accepted");
  EXPECT_EQ(refusals(head + "map s { b = y }\nmap s { b = y  a = y }\n"),
            "p:6:16: 'a' is mapped twice, to x on line 4\n");
}

TEST(Language, InQuotesEverythingThatCanBeSeenIsAName) {
  auto const build = build_policy(
      "p",
      "coalition c revision 1\ntype \"share\" \"__U__\" plain\n"
      "label \"res_HardDrive (hda)\" { share \"share\" plain  wall \"__U__\" }\n"
      "label \"internet\" { share share2 }\nlabel \"a\\\"b\\\\ \\xc3\\xa9\" { guard }\n"
      "type share2\nallow \"internet\" <-> internet tcp/1\n"
      "member vm \"internet\" when image in {\"an image\"}\n"
      "goal internet never reaches \"res_HardDrive (hda)\" except through \"a\\\"b\\\\ "
      "\\xc3\\xa9\"\n");
  ASSERT_TRUE(build) << build.error().front().describe();
  for (char const* name : {"res_HardDrive (hda)", "internet", "a\"b\\ \xc3\xa9"}) {
    EXPECT_TRUE(build->compiled.find_label(LabelName(name))) << name;
  }
  EXPECT_EQ(build->document->labels[0].share[0].text, "share");
  EXPECT_EQ(build->document->labels[0].wall->front().text, "__U__");
  EXPECT_EQ(build->document->labels[0].origin.text,
            "label \"res_HardDrive (hda)\" { share \"share\" plain  wall \"__U__\" }");
}

TEST(Language, ALabelThatIsSaidToStandOnBothSidesOfAWallNeverStarts) {
  auto const build = build_policy("p", around("label x { wall red_t blue_t }"));
  ASSERT_TRUE(build) << build.error().front().describe();
  LabelSet const running;
  Request const request{
      Operation::start, *build->compiled.find_label(LabelName("x")), {}, {}, Revision(1), &running};
  EXPECT_EQ(decide(request, build->compiled).reason, Reason::chinese_wall);
}

TEST(Language, AllMistakesOfAFileAreToldAtOnceInItsOrder) {
  std::string text = "coalition c revision 1\nlabel green { share nothing_t }\n";
  for (int i = 0; i < 20; ++i) text += "allow gren -> green udp/0" + std::to_string(i) + "\n";
  text += "allow gren -> gruen\n";
  auto const build = build_policy("p", text);
  ASSERT_FALSE(build);
  ASSERT_EQ(build.error().size(), 23u);
  for (std::size_t i = 1; i < build.error().size(); ++i) {
    EXPECT_LE(build.error()[i - 1].line, build.error()[i].line);
  }
  EXPECT_EQ(build.error().back().describe(),
            "p:23:15: label 'gruen' is not defined; did you mean 'green'?");
}

TEST(Language, NoMoreMistakesAreToldThanAnyoneReads) {
  std::string text;
  for (std::size_t i = 0; i < 2 * kDiagnosticsMax; ++i) text += "?\n";
  auto const build = build_policy("p", text);
  ASSERT_FALSE(build);
  EXPECT_EQ(build.error().size(), kDiagnosticsMax);
}

TEST(Language, ACoalitionMustBeNamedWithARevisionAboveZero) {
  EXPECT_EQ(refusals(""), "p:1:1: 'coalition NAME revision N' is missing\n");
  EXPECT_EQ(refusals("type a\n\n"), "p:2:1: 'coalition NAME revision N' is missing\n");
  EXPECT_EQ(refusals("coalition c revision 1"), "accepted");
  EXPECT_EQ(refusals("coalition c revision 18446744073709551615"), "accepted");
  EXPECT_EQ(refusals("coalition c revision 7 \"spring term\""), "accepted");
  std::string const longest(kRevisionNameBytesMax, 'x');
  EXPECT_EQ(refusals("coalition c revision 7 \"" + longest + "\""), "accepted");
  EXPECT_EQ(refusals("coalition c revision 7 \"" + longest + "x\""),
            "p:1:24: a revision's name may have 80 bytes\n");
  for (char const* revision : {"0", "-1", "01", "18446744073709551616", "x", "1.0"}) {
    EXPECT_NE(refusals(std::string("coalition c revision ") + revision), "accepted") << revision;
  }
}

TEST(Language, LimitsHoldExactly) {
  auto repeat = [](std::size_t count, auto line) {
    std::string text = "coalition c revision 1\n";
    for (std::size_t i = 0; i < count; ++i) text += line(std::to_string(i)) + "\n";
    return text;
  };
  struct {
    std::string what;
    std::size_t max;
    std::function<std::string(std::string)> line;
  } const rows[] = {
      {"labels", kLabelsMax, [](std::string i) { return "label l" + i + " { }"; }},
      {"types", kTypesMax, [](std::string i) { return "type t" + i; }},
      {"categories", kCategoriesMax, [](std::string i) { return "category c" + i; }},
      {"machine statements", kHostConditionsMax,
       [](std::string i) { return "member host when platform in {p" + i + "}"; }},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(refusals(repeat(row.max, row.line)), "accepted") << row.what;
    EXPECT_NE(refusals(repeat(row.max + 1, row.line)), "accepted") << row.what;
  }
  auto allows = [&](std::size_t count) {
    std::string text = around("");
    for (std::size_t i = 1; i <= count; ++i) {
      text += "allow red -> green udp/" + std::to_string(i) + "\n";
    }
    return refusals(text);
  };
  EXPECT_EQ(allows(kRulesPerPairMax), "accepted");
  EXPECT_EQ(allows(kRulesPerPairMax + 1),
            "p:41:1: more than 32 services from one label to another; use a port range, or allow "
            "all\n");
  std::string const longest = "#" + std::string(kStatementBytesMax - 1, 'x');
  EXPECT_EQ(refusals(around(longest)), "accepted");
  EXPECT_NE(refusals(around(longest + "x")), "accepted");
  // A line that would be too long once formatted is refused as it is, so that formatting never is.
  std::string pairs;
  for (int i = 0; i < 400; ++i) pairs += "a" + std::to_string(i) + "=red,";
  EXPECT_EQ(refusals(around("map s{" + pairs + "}")),
            "p:8:1: the canonical form of this line has more than 4096 bytes; split it\n");
}

TEST(Language, TheDocumentKeepsEveryStatementWithItsPlace) {
  auto const build = build_policy("dir/p.policy", around("allow green->red udp/9000,icmp# why\r") +
                                                      "goal internet never reaches green\n"
                                                      "map campus-b { blue = green, verde = red }\n"
                                                      "label x { secrecy secret integrity high }");
  ASSERT_TRUE(build) << build.error().front().describe();
  PolicyDocument const& document = *build->document;
  ASSERT_EQ(document.allows.size(), 1u);
  AllowStatement const& allow = document.allows[0];
  EXPECT_EQ(allow.origin.text, "allow green->red udp/9000,icmp");
  EXPECT_EQ(allow.origin.line, 8u);
  EXPECT_FALSE(allow.two_way);
  EXPECT_EQ(allow.services.size(), 2u);
  EXPECT_EQ(build->compiled.origin(allow.origin.statement).file, "dir/p.policy");
  EXPECT_EQ(build->compiled.origin(allow.origin.statement).line, 8u);
  ASSERT_EQ(document.goals.size(), 1u);
  EXPECT_EQ(document.goals[0].from.text, kInternet);
  ASSERT_EQ(document.maps.size(), 1u);
  EXPECT_EQ(document.maps[0].pairs[1].ours.text, "red");
  EXPECT_EQ(document.labels.back().secrecy->text, "secret");
}

}  // namespace
}  // namespace shamon
