#include "policy/flow/plan.hpp"

#include <gtest/gtest.h>

#include "policy/flow/service_set.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

TEST(ServiceSet, IsToldExactly) {
  struct Row {
    std::vector<char const*> services, without;
    char const* text;
  };
  for (Row const& row : {
           Row{{}, {}, ""},
           Row{{"any"}, {}, "every service"},
           Row{{"any"}, {"any"}, ""},
           Row{{"any"}, {"udp/9000"}, "every service except udp/9000"},
           Row{{"any"}, {"tcp", "icmp"}, "every service except icmp, tcp"},
           Row{{"tcp"}, {}, "tcp"},
           Row{{"tcp/1-10", "tcp/11"}, {}, "tcp/1-11"},
           Row{{"tcp/1-10", "tcp/12"}, {}, "tcp/1-10, tcp/12"},
           Row{{"tcp/5-9", "tcp/1-6", "udp/7"}, {}, "tcp/1-9, udp/7"},
           Row{{"tcp/1-10"}, {"tcp/4-6"}, "tcp/1-3, tcp/7-10"},
           Row{{"tcp/1-10"}, {"tcp/1-4", "tcp/6", "tcp/10-12"}, "tcp/5, tcp/7-9"},
           Row{{"tcp/443"}, {"udp/443"}, "tcp/443"},
           Row{{"tcp/443"}, {"tcp"}, ""},
       }) {
    ServiceSet set, other;
    for (auto const* text : row.services) set.add(parse_service_pattern(text).value());
    for (auto const* text : row.without) other.add(parse_service_pattern(text).value());
    EXPECT_EQ(set.without(other).describe(), row.text);
  }
}

struct Side {
  explicit Side(std::string const& text)
      : build(std::move(*build_policy("p", text))), graph(build.compiled, *build.document) {}
  PolicySide view() const { return {build.compiled, *build.document, graph}; }
  PolicyBuild build;
  LabelGraph graph;
};

constexpr char kTypes[] = "type a_t b_t c_t\n";
constexpr char kLabels[] =
    "label a { share a_t }\nlabel b { share b_t }\nlabel c { share c_t }\nlabel g { guard }\n"
    "label solo { }\n";

std::string policy(std::string const& statements, int revision = 1, char const* labels = kLabels) {
  return "coalition k revision " + std::to_string(revision) + "\n" + kTypes + labels + statements;
}

std::string tell_pairs(PolicyPlan const& plan) {
  std::string out;
  for (auto const& pair : plan.pairs) {
    out += pair.from + "->" + pair.to + " +" + pair.gained + " -" + pair.lost + "; ";
  }
  return out;
}

TEST(PolicyPlan, TellsWhichPairsGainAndLoseWhat) {
  struct Row {
    char const *before, *after, *pairs;
  };
  for (Row const& row : {
           Row{"", "", ""},
           Row{"allow a -> b udp/1-9\n", "allow a -> b udp/1-9\n", ""},
           Row{"allow a -> b udp/1-9\n", "allow a -> b udp/1-4\nallow a -> b udp/5-9\n", ""},
           Row{"", "allow a -> b udp/1\n", "a->b +udp/1 -; "},
           Row{"allow a -> b udp/1\n", "", "a->b + -udp/1; "},
           Row{"allow a -> b\n", "allow a -> b udp/1\n", "a->b + -every service except udp/1; "},
           Row{"allow a -> b udp/1\n", "allow a -> b udp/2\n", "a->b +udp/2 -udp/1; "},
           Row{"allow a <-> b tcp/443\n", "",
               "a->b + -tcp/443, replies from tcp/443; b->a + -tcp/443, replies from tcp/443; "},
           Row{"allow a -> b udp/1\n", "allow a <-> b udp/1\n",
               "a->b +replies from udp/1 -; b->a +udp/1, replies from udp/1 -; "},
           Row{"", "allow solo <-> solo\n", "solo->solo +every service -; "},
       }) {
    Side const before(policy(row.before)), after(policy(row.after, 2));
    EXPECT_EQ(tell_pairs(compare(before.view(), after.view())), row.pairs) << row.before << "=>\n"
                                                                           << row.after;
  }
}

TEST(PolicyPlan, ASharedTypeGainsMemoryEventsAndDevicesToo) {
  Side const before(policy(""));
  Side const after(policy("", 2,
                          "label a { share a_t }\nlabel b { share a_t }\nlabel c { share c_t }\n"
                          "label g { guard }\nlabel solo { }\n"));
  PolicyPlan const plan = compare(before.view(), after.view());
  EXPECT_EQ(tell_pairs(plan),
            "a->b +every service, memory, events, devices -; "
            "b->a +every service, memory, events, devices -; ");
  ASSERT_EQ(plan.names.size(), 1u);
  EXPECT_EQ(plan.names[0].kind, NamedChange::Kind::changed);
  EXPECT_EQ(plan.names[0].name, "b");
}

TEST(PolicyPlan, TellsGoalsThatChangeAndRevisionsThatDoNotGrow) {
  std::string const goals = "goal a never reaches b\ngoal a never reaches c\n";
  Side const before(policy(goals + "allow a -> c udp/1\n", 4));
  Side const after(policy(goals + "allow a -> b udp/1\ngoal b never reaches c\n", 4));
  PolicyPlan const plan = compare(before.view(), after.view());
  EXPECT_TRUE(plan.violates());
  EXPECT_FALSE(plan.newer);
  EXPECT_TRUE(plan.same_coalition);
  using Standing = GoalChange::Standing;
  ASSERT_EQ(plan.goals.size(), 3u);
  EXPECT_TRUE(plan.goals[0].becomes_violated());
  EXPECT_EQ(plan.goals[1].before, Standing::violated);
  EXPECT_EQ(plan.goals[1].after, Standing::holds);
  EXPECT_EQ(plan.goals[2].before, Standing::absent);
  EXPECT_EQ(plan.goals[2].after, Standing::holds);
  EXPECT_TRUE(compare(before.view(), Side(policy("", 5)).view()).newer);
  EXPECT_FALSE(compare(after.view(), before.view()).goals.empty());
}

TEST(PolicyPlan, NamesTheVmsAndTunnelsThatWouldBeCut) {
  Side const before(policy("allow a -> b udp/1\nmember vm a when image in {one two}\n"));
  Side const after(policy(
      "wall w { b_t c_t }\nmember vm a when image in {two}\n", 2,
      "label a { share a_t }\nlabel b { share b_t }\nlabel c { share c_t }\nlabel g { guard }\n"));
  PolicyPlan const plan = compare(before.view(), after.view());
  ASSERT_EQ(plan.walls.size(), 1u);
  EXPECT_TRUE(plan.walls[0].apart);
  Running running;
  running.vms = {{"v1", "a", "h1", "one"}, {"v2", "b", "h2", "x"},    {"v3", "c", "h2", "x"},
                 {"v4", "a", "h2", "two"}, {"v5", "solo", "h1", "x"}, {"v6", "b", "h3", "x"}};
  std::vector<std::string> texts;
  for (auto const& cut : find_cuts(before.view(), after.view(), plan, running)) {
    texts.push_back(cut.text);
  }
  EXPECT_EQ(texts, (std::vector<std::string>{
                       "VM v1 on h1 could not start again: image is 'one', not in {two}",
                       "VM v5 on h1 stops: label solo is gone",
                       "on h2 run v2 (b) and v3 (c), which a wall now keeps apart",
                       "v1, v4 (a) -> v2, v6 (b) lose udp/1",
                       "tunnel h1 - h2 of label b carries nothing any more",
                       "tunnel h1 - h3 of label a carries nothing any more",
                       "tunnel h1 - h3 of label b carries nothing any more",
                       "tunnel h2 - h3 of label a carries nothing any more"}));
  running.tunnels = {{"h3", "h1", "a"}, {"h1", "h3", "a"}, {"h1", "h2", "a"}, {"h1", "h9", "solo"}};
  texts.clear();
  for (auto const& cut : find_cuts(before.view(), after.view(), plan, running)) {
    if (cut.kind == Cut::Kind::tunnel) texts.push_back(cut.text);
  }
  EXPECT_EQ(texts,
            (std::vector<std::string>{"tunnel h1 - h3 of label a carries nothing any more",
                                      "tunnel h1 - h9 of label solo ends: the label is gone"}));
}

}  // namespace
}  // namespace shamon
