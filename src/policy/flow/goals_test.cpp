#include "policy/flow/goals.hpp"

#include <random>

#include <gtest/gtest.h>

#include "policy/decide.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

PolicyBuild build(std::string const& text) {
  auto built = build_policy("t.policy", text);
  EXPECT_TRUE(built) << (built ? "" : built.error().front().describe()) << "\n" << text;
  return std::move(*built);
}

/// "a->b@7 common type; b->c@9 udp/9000": every step with its line and what opens it.
std::string tell(LabelGraph const& graph, FlowAnswer const& answer) {
  std::string out;
  for (auto const* edge : answer.path) {
    out += (out.empty() ? "" : "; ") + graph.name(edge->from) + "->" + graph.name(edge->to) + "@" +
           std::to_string(edge->ways.front().origin.line) + " " +
           to_string(edge->ways.front().kind);
    if (edge->ways.front().kind == FlowWay::Kind::allow) out += " " + edge->services();
  }
  return out.empty() ? "holds" : out;
}

constexpr char kHead[] =
    "coalition c revision 1\n"  // 1
    "type a_t b_t c_t\n"        // 2
    "label a { share a_t }\n"   // 3
    "label a2 { share a_t }\n"  // 4
    "label b { share b_t }\n"   // 5
    "label c { share c_t }\n"   // 6
    "label g { guard }\n"       // 7
    "label h { guard }\n"       // 8
    "label lonely { }\n";       // 9; rows follow from 10

struct GoalRow {
  char const* statements;
  char const* goal;
  char const* verdict;
};

TEST(Goals, HoldOrAreBrokenByTheShortestPath) {
  GoalRow const rows[] = {
      {"", "a never reaches b", "holds"},
      {"", "a never reaches a2", "a->a2@3 common type"},
      {"allow a -> b udp/9000\n", "a never reaches b", "a->b@10 allow udp/9000"},
      {"allow a -> b udp/9000\n", "b never reaches a", "holds"},
      {"allow a <-> b tcp/443\n", "b never reaches a", "b->a@10 allow tcp/443"},
      {"allow a -> b\n", "a never reaches b", "a->b@10 allow every service"},
      {"allow a -> b udp/1-9 icmp\nallow a -> b udp/7\n", "a never reaches b",
       "a->b@10 allow udp/1-9, icmp, udp/7"},
      {"allow a2 -> b udp/1\nallow b -> c icmp\n", "a never reaches c",
       "a->a2@3 common type; a2->b@10 allow udp/1; b->c@11 allow icmp"},
      {"allow a -> b udp/1\nallow b -> c udp/1\nallow a2 -> c udp/1\n", "a never reaches c",
       "a->a2@3 common type; a2->c@12 allow udp/1"},
      {"allow a -> g udp/1\nallow g -> b udp/1\n", "a never reaches b",
       "a->g@10 allow udp/1; g->b@11 allow udp/1"},
      {"allow a -> g udp/1\nallow g -> b udp/1\n", "a never reaches b except through g", "holds"},
      {"allow a -> g udp/1\nallow g -> b udp/1\n", "a never reaches b except through h",
       "a->g@10 allow udp/1; g->b@11 allow udp/1"},
      {"allow a -> g udp/1\nallow g -> b udp/1\nallow a -> h udp/1\nallow h -> b udp/1\n",
       "a never reaches b except through {g h}", "holds"},
      {"allow a -> g udp/1\nallow g -> b udp/1\nallow a -> h udp/1\nallow h -> b udp/1\n",
       "a never reaches b except through g", "a->h@12 allow udp/1; h->b@13 allow udp/1"},
      {"allow a -> g udp/1\nallow g -> b udp/1\nallow a2 -> c icmp\nallow c -> b icmp\n",
       "a never reaches b except through g",
       "a->a2@3 common type; a2->c@12 allow icmp; c->b@13 allow icmp"},
      {"allow g -> b udp/1\n", "g never reaches b except through g", "holds"},
      {"allow a <-> b\nallow b <-> c\n", "internet never reaches c", "holds"},
      {"allow a <-> b\nallow b <-> c\n", "a never reaches internet", "holds"},
      {"allow lonely -> a icmp\n", "lonely never reaches a2",
       "lonely->a@10 allow icmp; a->a2@3 common type"},
  };
  for (auto const& row : rows) {
    PolicyBuild const policy =
        build(std::string(kHead) + row.statements + "goal " + row.goal + "\n");
    LabelGraph const graph(policy.compiled, *policy.document);
    auto const verdicts = check_goals(graph, policy.compiled, *policy.document);
    ASSERT_EQ(verdicts.size(), 1u);
    EXPECT_EQ(tell(graph, verdicts[0].answer), row.verdict) << row.statements << row.goal;
    EXPECT_EQ(verdicts[0].origin.text, std::string("goal ") + row.goal);
    EXPECT_EQ(verdicts[0].about_internet,
              std::string(row.goal).find("internet") != std::string::npos);
  }
}

TEST(Goals, AGuardCountsOnlyIfAllowLinesAreItsWholeInterface) {
  // An honest guard's edges all rest on allow lines.
  PolicyBuild const policy = build(std::string(kHead) +
                                   "allow a -> g udp/1\nallow g -> b udp/1\n"
                                   "goal a never reaches b except through g\n");
  LabelGraph const graph(policy.compiled, *policy.document);
  EXPECT_EQ(graph.beyond_interface(*graph.find("g")), nullptr);
  // One that shares types with both sides has no more than its lines and its devices either.
  PolicyBuild const shares = build(std::string(kHead) +
                                   "label wide { share a_t b_t  guard  wall none }\n"
                                   "allow a -> wide udp/1\nallow wide -> b udp/1\n"
                                   "goal a never reaches b except through wide\n");
  LabelGraph const wide(shares.compiled, *shares.document);
  EXPECT_EQ(wide.beyond_interface(*wide.find("wide")), nullptr);
  EXPECT_TRUE(check_goals(wide, shares.compiled, *shares.document)[0].holds());
  // A label that shares a type has more than its lines, and says where.
  FlowEdge const* edge = graph.beyond_interface(*graph.find("a"));
  ASSERT_NE(edge, nullptr);
  EXPECT_EQ(graph.name(edge->to), "a2");
}

TEST(LabelGraph, HasNoEdgeToTheInternet) {
  PolicyBuild const policy = build(std::string(kHead) + "allow a <-> b\n");
  LabelGraph const graph(policy.compiled, *policy.document);
  EXPECT_EQ(graph.name(graph.internet()), "internet");
  EXPECT_TRUE(graph.graph().successors(graph.internet()).empty());
  EXPECT_TRUE(graph.graph().reversed().successors(graph.internet()).empty());
}

/// Random policies for the comparison below: few labels, every kind of statement.
std::string random_policy(std::mt19937& random, std::size_t labels) {
  std::string text = "coalition c revision 1\ntype t0 t1 t2 t3\n";
  char const* secrecy[] = {"open", "internal", "confidential", "secret"};
  char const* integrity[] = {"low", "medium", "high"};
  std::string goals;
  for (std::size_t i = 0; i < labels; ++i) {
    bool const guard = random() % 4 == 0;
    text += "label l" + std::to_string(i) + " {";
    if (!guard && random() % 2 == 0) text += " share t" + std::to_string(random() % 4);
    if (random() % 4 == 0) text += std::string(" secrecy ") + secrecy[random() % 4];
    if (random() % 4 == 0) text += std::string(" integrity ") + integrity[random() % 3];
    text += guard ? " guard }\n" : " }\n";
    if (!guard) continue;
    goals += "goal l0 never reaches l1 except through l" + std::to_string(i) + "\n";
  }
  char const* services[] = {"",           " udp/53", " udp/50-60",  " icmp",
                            " udp/60-99", " udp",    " udp/99 icmp"};
  for (std::size_t i = random() % (2 * labels); i > 0; --i) {
    bool const two_way = random() % 3 == 0;
    text += "allow l" + std::to_string(random() % labels) + (two_way ? " <-> l" : " -> l") +
            std::to_string(random() % labels);
    text += two_way && random() % 2 == 0 ? " tcp/443" : services[random() % std::size(services)];
    text += "\n";
  }
  return text + goals + "goal l0 never reaches l1\n";
}

/// Everything a request could ask between two labels in such a policy, asked one by one.
bool naive_edge(CompiledPolicy const& policy, std::uint16_t a, std::uint16_t b) {
  Request request{Operation::flow, LabelId(a), LabelId(b), {}, policy.revision(), nullptr};
  for (unsigned const protocol : {0, 1, 6, 17, 47}) {
    for (unsigned const port : {0, 52, 53, 60, 99, 443, 444}) {
      for (unsigned const source : {0, 53, 60, 99, 443}) {
        request.service = {static_cast<std::uint8_t>(protocol), static_cast<std::uint16_t>(port),
                           static_cast<std::uint16_t>(source)};
        if (decide(request, policy).allowed()) return true;
      }
    }
  }
  for (auto const operation :
       {Operation::share_memory, Operation::bind_event, Operation::assign_device}) {
    request.operation = operation;
    if (decide(request, policy).allowed()) return true;
  }
  return false;
}

using Distances = std::vector<std::vector<std::size_t>>;

/// Distances without passing `avoid` (labels.size(): nobody), by Floyd and Warshall.
Distances naive_distances(CompiledPolicy const& policy, std::size_t avoid) {
  std::size_t const n = policy.label_count();
  Distances d(n, std::vector<std::size_t>(n, n + 1));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i == avoid || j == avoid || i == j) continue;
      if (naive_edge(policy, static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(j))) {
        d[i][j] = 1;
      }
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) d[i][j] = std::min(d[i][j], d[i][k] + d[k][j]);
    }
  }
  return d;
}

TEST(Goals, AgreeWithANaiveReachabilityOverDecide) {
  std::mt19937 random(4);
  std::size_t broken = 0, held = 0;
  for (int round = 0; round < 120; ++round) {
    std::size_t const n = 2 + random() % 7;
    std::string const text = random_policy(random, n);
    PolicyBuild const policy = build(text);
    LabelGraph const graph(policy.compiled, *policy.document);
    for (auto const& verdict : check_goals(graph, policy.compiled, *policy.document)) {
      auto const& through = verdict.goal->through;
      std::size_t const avoid = through.empty() ? n : *graph.find(through[0].text);
      std::size_t const distance = naive_distances(policy.compiled, avoid)[0][1];
      if (!verdict.answer.open_guards.empty()) continue;
      ASSERT_EQ(verdict.holds(), distance > n) << "round " << round << "\n" << text;
      ASSERT_EQ(verdict.holds() ? 0 : distance, verdict.answer.path.size()) << text;
      ++(verdict.holds() ? held : broken);
    }
    for (Node i = 0; i < n; ++i) {
      for (Node j = 0; j < n; ++j) {
        if (i == j) continue;
        bool const there = naive_edge(policy.compiled, static_cast<std::uint16_t>(i),
                                      static_cast<std::uint16_t>(j));
        ASSERT_EQ(graph.edge(i, j) != nullptr, there) << i << "->" << j << "\n" << text;
      }
    }
  }
  EXPECT_GT(held, 20u);
  EXPECT_GT(broken, 20u);
}

}  // namespace
}  // namespace shamon
