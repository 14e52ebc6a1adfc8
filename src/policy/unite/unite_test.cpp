#include "policy/unite/unite.hpp"

#include <algorithm>

#include "policy/limits.hpp"
#include "policy/unite/limits.hpp"
#include "policy/unite/unite_fixture.hpp"

namespace shamon {
namespace {

std::string kinds(UnionResult const& result) {
  if (result.error) return "error " + std::string(to_string(result.error->code));
  std::string out;
  for (auto const& conflict : result.conflicts) {
    out += (out.empty() ? "" : " ") + std::string(to_string(conflict.kind));
  }
  return out.empty() ? "united" : out;
}

std::string all(UnionResult const& result) {
  std::string out = result.error ? result.error->describe() : "";
  for (auto const& conflict : result.conflicts) out += conflict.describe() + "\n";
  return out + (result.united ? result.united->text : "");
}

std::string const kBoinc =
    "coalition boinc revision 7\n"
    "type green_t red_t blue_t results_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "label blue { share blue_t }\n"
    "wall vendors { red_t blue_t }\n";

struct Row {
  char const* what;
  std::vector<std::string> policies;
  char const* expected;
};

/// Each kind of conflict, and just beside it what is none.
TEST(Unite, FindsEachKindOfConflictAndNoneBesideIt) {
  std::string const same = "coalition boinc revision 7\n";
  std::string const guarded =
      "coalition g revision 1\nlabel in { }\nlabel out { }\nlabel gate { guard }\n"
      "allow in <-> gate tcp/443\nallow gate <-> out tcp/443\n";
  std::string const levelled =
      "coalition l revision 1\ntype t\ncategory pay lab\n"
      "label low { share t }\nlabel high { share t  secrecy secret {pay} }\n";
  std::string const members = "member host when platform in {p} and attested within 60s\n";
  Row const rows[] = {
      {"one policy", {kBoinc}, "united"},
      {"the same policy twice", {kBoinc, kBoinc}, "united"},
      {"another revision", {kBoinc, "coalition boinc revision 8\n"}, "revision"},
      {"another coalition's revision", {kBoinc, "coalition other revision 8\n"}, "united"},
      {"a label with another type",
       {kBoinc, same + "type green_t results_t\nlabel green { share results_t }\n"},
       "label"},
      {"a label with a type more",
       {kBoinc, same + "type green_t results_t\nlabel green { share green_t results_t }\n"},
       "label"},
      {"a label without its wall",
       {kBoinc, same + "type red_t\nlabel red { share red_t  wall none }\n"},
       "label"},
      {"a label whose wall types are said differently",
       {kBoinc, same + "type red_t\nlabel red { share red_t  wall red_t }\n"},
       "united"},
      {"the label of another coalition has the same name",
       {kBoinc, "coalition other revision 1\ntype x\nlabel green { share x  secrecy secret }\n"},
       "united"},
      {"a guard that is none elsewhere",
       {same + "label gate { guard }\n", same + "label gate { }\n"},
       "label"},
      {"another secrecy",
       {levelled, "coalition l revision 1\ntype t\nlabel low { share t  secrecy internal }\n"},
       "level"},
      {"another category",
       {levelled,
        "coalition l revision 1\ntype t\ncategory lab\n"
        "label high { share t  secrecy secret {lab} }\n"},
       "level"},
      {"the level that is meant when none is said",
       {levelled, "coalition l revision 1\ntype t\nlabel low { share t  secrecy open }\n"},
       "united"},
      {"a wall with fewer sides",
       {same + "type a b c\nwall w { a b c }\n", same + "type a b c\nwall w { a b }\n"},
       "wall"},
      {"a wall whose sides stand in another order",
       {same + "type a b c\nwall w { a b c }\n", same + "type a b c\nwall w { c b a }\n"},
       "united"},
      {"a wall of another coalition has the same name",
       {same + "type a b c\nwall w { a b c }\n",
        "coalition other revision 1\ntype a b\n"
        "wall w { a b }\n"},
       "united"},
      {"types that run side by side and are sides of a wall elsewhere",
       {kBoinc,
        same + "type red_t blue_t\nlabel rose { share red_t }\nlabel sky { share blue_t }\n"},
       "type"},
      {"types of one side only",
       {kBoinc, same + "type red_t\nlabel rose { share red_t }\n"},
       "united"},
      {"a label with two types that are sides of a wall elsewhere",
       {kBoinc, same + "type red_t blue_t\nlabel both { share red_t blue_t }\n"},
       "type"},
      {"a label that can never start, in its own policy already",
       {same + "type a b\nlabel x { share a  wall a b }\nwall w { a b }\n"},
       "united"},
      {"a label that could start before a wall came",
       {same + "type a b\nlabel x { share a  wall a b }\n", same + "type a b\nwall w { a b }\n"},
       "type"},
      {"names in quotes",
       {same +
            "type \"share\" b\nlabel \"disk (hda)\" { share \"share\" }\nlabel \"internet\" { }\n",
        "coalition other revision 1\ntype \"wall\"\nlabel \"disk (hda)\" { share \"wall\" }\n"
        "label \"internet\" { }\ngoal \"disk (hda)\" never reaches internet\n"},
       "united"},
      {"names in quotes that mean something else",
       {same + "type \"share\" b\nlabel \"disk (hda)\" { share \"share\" }\n",
        same + "type \"share\" b\nlabel \"disk (hda)\" { share b }\n"},
       "label"},
      {"an allow between labels that both know",
       {kBoinc, kBoinc + "allow green -> red udp/9000\n"},
       "allow"},
      {"the same allow in both",
       {kBoinc + "allow green -> red udp/9000\n", kBoinc + "allow green -> red udp/9000\n"},
       "united"},
      {"the same services in another order",
       {kBoinc + "allow green -> red udp/1 udp/2\n", kBoinc + "allow green -> red udp/2 udp/1\n"},
       "united"},
      {"the same services in two statements",
       {kBoinc + "allow green -> red udp/1 udp/2\n",
        kBoinc + "allow green -> red udp/1\nallow green -> red udp/2\n"},
       "united"},
      {"one port more",
       {kBoinc + "allow green -> red udp/1-9\n", kBoinc + "allow green -> red udp/1-10\n"},
       "allow"},
      {"an allow to a label that only one knows",
       {kBoinc, same + "type green_t\nlabel green { share green_t }\nlabel new { }\n"
                       "allow green -> new udp/1\n"},
       "united"},
      {"a guard with a partner that only one knows",
       {guarded,
        "coalition g revision 1\nlabel gate { guard }\nlabel new { }\n"
        "allow gate <-> new tcp/80\n"},
       "guard guard guard"},
      {"a guard with a service more", {guarded, guarded + "allow in <-> gate tcp/80\n"}, "guard"},
      {"a guard's whole interface said again", {guarded, guarded}, "united"},
      {"other machines",
       {same + members, same + "member host when platform in {p q} and attested within 60s\n"},
       "machines"},
      {"the same machines said in another order",
       {same + "member host when platform in {q p}\n",
        same + "member host when platform in {p q}\n"},
       "united"},
      {"a longer time since the last attestation",
       {same + members, same + "member host when platform in {p} and attested within 61s\n"},
       "machines"},
      {"one that says nothing about machines", {same + members, same}, "united"},
      {"another coalition's machines",
       {same + members, "coalition other revision 1\nmember host when platform in {q}\n"},
       "united"},
      {"another image",
       {same + "label x { }\nmember vm x when image in {i}\n",
        same + "label x { }\nmember vm x when image in {i j}\n"},
       "images"},
      {"two maps that disagree",
       {kBoinc + "map x { gruen = green }\n", kBoinc + "map x { gruen = red }\n"},
       "map"},
      {"two maps that agree",
       {kBoinc + "map x { gruen = green }\n", kBoinc + "map x { rot = red  gruen = green }\n"},
       "united"},
      {"maps of two coalitions for one site",
       {kBoinc + "map x { gruen = green }\n",
        "coalition other revision 1\nlabel red { }\nmap x { gruen = red }\n"},
       "united"},
      {"one that says nothing about images",
       {same + "label x { }\nmember vm x when image in {i}\n", same + "label x { }\n"},
       "united"},
  };
  for (auto const& row : rows) {
    auto const result = unite(policies_for_union(row.policies));
    EXPECT_EQ(kinds(result), row.expected) << row.what << "\n" << all(result);
    for (auto const& conflict : result.conflicts) expect_example_holds(conflict);
  }
}

/// Coalitions that a map connects.
TEST(Unite, JudgesWhatMapsMakeOne) {
  std::string const home =
      "coalition home revision 1\ntype web_t pay_t out_t\nlabel web { share web_t }\n"
      "label pay { share pay_t }\n";
  std::string const site =
      "coalition site revision 4\ntype green_t red_t blue_t\nlabel green { share green_t }\n"
      "label twin { share green_t }\nlabel red { share red_t }\nlabel blue { share blue_t }\n"
      "label bare { }\n";
  std::string const map = "map site { green = web }\n";
  Row const rows[] = {
      {"one label of theirs is one of ours", {home + map, site}, "united"},
      {"the map of a coalition that is not here",
       {home + "map nowhere { x = web }\n", site},
       "united"},
      {"a label they do not have", {home + "map site { gruen = web }\n", site}, "map"},
      {"two labels that nothing tells apart",
       {home + "map site { green = web twin = web }\n", site},
       "united"},
      {"two labels that may not talk",
       {home + "map site { green = web red = web }\n", site},
       "merge"},
      {"two labels that a goal keeps apart",
       {home + "map site { green = web red = web }\n", site + "goal green never reaches red\n"},
       "merge"},
      {"two labels that a wall keeps apart",
       {home + "map site { red = web blue = web }\n", site + "wall vendors { red_t blue_t }\n"},
       "merge"},
      {"two labels of different levels",
       {home + "map site { green = web twin2 = web }\n",
        site + "label twin2 { share green_t  integrity high }\n"},
       "level merge"},
      {"two labels merged over a third coalition",
       {"coalition third revision 1\nlabel x { }\nmap home { web = x pay = x }\n", home + map,
        site},
       "merge"},
      {"their label has another level",
       {home + "map site { high = web }\n",
        site + "label high { share green_t  secrecy secret }\n"},
       "level"},
      {"their label is a guard",
       {home + "map site { gate = web }\n", site + "label gate { guard }\n"},
       "label"},
      {"a label that was isolated from itself", {home + "map site { bare = web }\n", site}, "map"},
      {"both map to each other", {home + map, site + "map home { web = green }\n"}, "united"},
      {"they map another label to ours", {home + map, site + "map home { web = red }\n"}, "merge"},
      {"our wall keeps their label away",
       {"coalition home revision 1\ntype out_t pay_t\nlabel pay { share pay_t }\n"
        "label stranger { wall out_t  share out_t }\nwall mine { pay_t out_t }\n"
        "map site { green = stranger }\n",
        site},
       "united"},
      {"our wall stands between two of theirs",
       {"coalition home revision 1\ntype a_t b_t\nlabel a { share a_t }\nlabel b { share b_t }\n"
        "wall mine { a_t b_t }\nmap site { green = a red = b }\n",
        site},
       "type"},
      {"images that only we admit",
       {home + map + "member vm web when image in {i}\n", site},
       "images"},
      {"images that only they admit, which our map takes over",
       {home + map, site + "member vm green when image in {i}\n"},
       "united"},
      {"the same images",
       {home + map + "member vm web when image in {i}\n",
        site + "member vm green when image in {i}\n"},
       "united"},
  };
  for (auto const& row : rows) {
    auto const result = unite(policies_for_union(row.policies));
    EXPECT_EQ(kinds(result), row.expected) << row.what << "\n" << all(result);
    for (auto const& conflict : result.conflicts) expect_example_holds(conflict);
  }
}

/// Goals over paths that no policy has alone. The green label of `site` becomes ours by a map, so
/// our other labels stand between its.
TEST(Unite, KeepsTheGoalsOfEachCoalition) {
  std::string const site =
      "coalition site revision 4\nlabel green { }\nlabel red { }\nlabel blue { }\n"
      "allow green -> blue udp/1\n";
  std::string const bridge =
      "coalition home revision 1\nlabel a { }\nlabel relay { }\nlabel b { }\n"
      "map site { green = a red = b }\n";
  std::string const both = bridge + "allow a -> relay udp/7\nallow relay <-> b tcp/443\n";
  std::string const guarded =
      "coalition home revision 1\nlabel a { }\nlabel relay { guard }\nlabel b { }\n"
      "map site { green = a red = b }\nallow a -> relay udp/7\nallow relay <-> b tcp/443\n";
  Row const rows[] = {
      {"a path over a label the goal's author does not know",
       {both, site + "goal green never reaches red\n"},
       "goal"},
      {"the other way round there is no path",
       {both, site + "goal red never reaches green\n"},
       "united"},
      {"half a path",
       {bridge + "allow a -> relay udp/7\n", site + "goal green never reaches red\n"},
       "united"},
      {"their guard does not stand on our path",
       {both, site + "label gate { guard }\ngoal green never reaches red except through gate\n"},
       "goal"},
      {"our own guard may stand on it",
       {guarded + "goal a never reaches b except through relay\n", site},
       "united"},
      {"our guard does not count for their goal",
       {guarded, site + "goal green never reaches red\n"},
       "goal"},
      {"information leaves their coalition",
       {both, site + "goal green never reaches internet\n"},
       "goal"},
      {"what leaves it comes from another label",
       {both, site + "goal blue never reaches internet\n"},
       "united"},
      {"information from outside arrives",
       {both, site + "goal internet never reaches red\n"},
       "goal"},
      {"nothing from outside arrives",
       {both, site + "goal internet never reaches green\n"},
       "united"},
      {"a label of both is outside to neither",
       {"coalition home revision 1\nlabel a { }\nmap site { green = a }\n",
        site + "goal internet never reaches green\ngoal green never reaches internet\n"},
       "united"},
      {"a goal that does not hold alone either",
       {site + "goal green never reaches blue\n"},
       "goal"},
      {"a path over three coalitions",
       {"coalition one revision 1\nlabel x { }\nlabel y { }\nallow x -> y udp/1\n"
        "map two { p = y }\ngoal x never reaches internet\n",
        "coalition two revision 1\nlabel p { }\nlabel q { }\nallow p -> q udp/1\n"
        "map three { s = q }\n",
        "coalition three revision 1\nlabel s { }\nlabel t { }\nallow s -> t udp/1\n"
        "goal t never reaches s\ngoal internet never reaches t\n"},
       "goal goal"},
  };
  for (auto const& row : rows) {
    auto const result = unite(policies_for_union(row.policies));
    EXPECT_EQ(kinds(result), row.expected) << row.what << "\n" << all(result);
    for (auto const& conflict : result.conflicts) expect_example_holds(conflict);
  }
}

TEST(Unite, ABrokenGoalShowsTheWholePath) {
  auto const result = unite(policies_for_union(
      {"coalition home revision 1\nlabel a { }\nlabel relay { }\nlabel b { }\n"
       "map site { green = a red = b }\nallow a -> relay udp/7\nallow relay <-> b tcp/443\n",
       "coalition site revision 4\nlabel green { }\nlabel red { }\n"
       "goal green never reaches red\n"}));
  ASSERT_EQ(result.conflicts.size(), 1u) << all(result);
  EXPECT_EQ(result.conflicts[0].describe(),
            "conflict (goal): goal 'goal green never reaches red' of b.policy would be broken\n"
            "  b.policy:4:1: goal green never reaches red\n"
            "  a.policy:5:1: map site { green = a red = b }\n"
            "  for example: a -> relay (udp/7, a.policy:6) -> b (tcp/443, a.policy:7)");
}

TEST(Unite, AConflictNamesBothStatementsAndAnExample) {
  auto const result = unite(policies_for_union(
      {kBoinc,
       "coalition boinc revision 7\ntype green_t red_t\n  label green { share red_t }\n"
       "label red { share red_t }\n"}));
  ASSERT_EQ(result.conflicts.size(), 1u) << all(result);
  EXPECT_EQ(result.conflicts[0].describe(),
            "conflict (label): label 'green' has two meanings\n"
            "  a.policy:3:1: label green { share green_t }\n"
            "  b.policy:3:3: label green { share red_t }\n"
            "  for example: a VM labelled 'green' sends anything to one labelled 'red': denied by "
            "a.policy (no common type, a.policy:3), allowed by b.policy (common type, b.policy:3)");
}

TEST(Unite, HomeKeepsItsNamesAndOthersGetTheirCoalitionsName) {
  auto const result = unite(policies_for_union(
      {kBoinc + "label other.green { }\n",
       "coalition other revision 9\ntype green_t\ncategory c\nlabel green { share green_t }\n"
       "label mine { secrecy secret {c} }\nallow green -> mine udp/1\n"
       "member host when platform in {p}\ngoal mine never reaches green\n"}));
  ASSERT_TRUE(result.united) << all(result);
  EXPECT_EQ(result.united->text,
            "coalition boinc revision 7\n"
            "\n"
            "# a.policy: coalition boinc revision 7\n"
            "type green_t red_t blue_t results_t\n"
            "label green { share green_t }\n"
            "label red { share red_t }\n"
            "label blue { share blue_t }\n"
            "label other.green { }\n"
            "wall vendors { red_t blue_t }\n"
            "\n"
            "# b.policy: coalition other revision 9\n"
            "type other.green_t\n"
            "category other.c\n"
            "label other..green { share other.green_t }\n"
            "label other.mine { secrecy secret {other.c} }\n"
            "allow other..green -> other.mine udp/1\n"
            "goal other.mine never reaches other..green\n");
  EXPECT_EQ(result.united->label_names[1][0], LabelName("other..green"));
  ASSERT_EQ(result.united->notes.size(), 1u);
  // Whoever asks why is sent to the statement itself.
  CompiledPolicy const& policy = result.united->build->compiled;
  Decision const decision = ask({Operation::flow,
                                 LabelName("other..green"),
                                 LabelName("other.mine"),
                                 {17, 1, 0},
                                 {},
                                 Revision(7)},
                                policy);
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(policy.origin(decision.statement).file, "b.policy");
  EXPECT_EQ(policy.origin(decision.statement).line, 6u);
  EXPECT_EQ(policy.origin(decision.statement).text, "allow green -> mine udp/1");
}

TEST(Unite, TheUnionIsCanonicalAndBuildsAgain) {
  auto const result = unite(policies_for_union(
      {kBoinc + "allow green -> red udp/2 udp/1\nmap site { a = green }\n",
       "coalition site revision 2\ntype x\nlabel a { share x }\nlabel b { share x }\n"}));
  ASSERT_TRUE(result.united) << all(result);
  auto const formatted = format_policy("union", result.united->text);
  ASSERT_TRUE(formatted);
  EXPECT_EQ(*formatted, result.united->text);
  auto const again = build_policy("union", result.united->text);
  ASSERT_TRUE(again);
  // The mapped label talks to its friends in both coalitions; they do not talk to each other.
  EXPECT_NE(result.united->text.find("label green { share green_t site.x }"), std::string::npos)
      << result.united->text;
}

TEST(Unite, LimitsAreErrorsAndNotConflicts) {
  EXPECT_EQ(unite({}).error->code, Errc::invalid);
  auto labels = [](std::string const& coalition, std::size_t count) {
    std::string text = "coalition " + coalition + " revision 1\n";
    for (std::size_t i = 0; i < count; ++i) text += "label l" + std::to_string(i) + " { }\n";
    return text;
  };
  EXPECT_EQ(kinds(unite(policies_for_union({labels("a", 256), labels("b", 256)}))), "united");
  auto const over = unite(policies_for_union({labels("a", 256), labels("b", 257)}));
  EXPECT_EQ(kinds(over), "error too large");
  EXPECT_EQ(over.error->message, "2 policies have 513 labels together; one policy may have 512");
  std::string const fits = "coalition " + std::string(31, 'c') + " revision 1\nlabel ";
  EXPECT_EQ(
      kinds(unite(policies_for_union({labels("a", 1), fits + std::string(31, 'l') + " { }\n"}))),
      "united");
  EXPECT_EQ(
      kinds(unite(policies_for_union({labels("a", 1), fits + std::string(32, 'l') + " { }\n"}))),
      "error too large");
  std::string walls = "type a b\n";
  for (std::size_t i = 0; i < kWallsMax; ++i) walls += "wall w" + std::to_string(i) + " { a b }\n";
  EXPECT_EQ(kinds(unite(policies_for_union({labels("a", 1) + walls, labels("b", 1)}))), "united");
  EXPECT_EQ(kinds(unite(policies_for_union(
                {labels("a", 1) + walls, labels("b", 1) + "type a b\nwall w { a b }\n"}))),
            "error too large");
  std::vector<std::shared_ptr<PolicyBuild const>> many(
      kUnitedPoliciesMax, build_for_union("x", "coalition x revision 1\n"));
  EXPECT_EQ(kinds(unite(many)), "united");
  many.push_back(many.front());
  EXPECT_EQ(kinds(unite(many)), "error too large");
}

}  // namespace
}  // namespace shamon
