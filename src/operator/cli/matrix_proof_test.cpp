// The proof that tables equal statements, with the real solvers: what is right is proved, and every
// damage to the tables is found, with a question on which decide() itself shows it.
#include "operator/cli/matrix_proof.hpp"

#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "policy/decide.hpp"
#include "policy/source.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] = R"policy(coalition test revision 7
type green_t results_t red_t blue_t
category alpha beta
label green { share green_t  secrecy internal {alpha}  integrity medium }
label results { share green_t results_t  secrecy confidential {alpha beta}  integrity low }
label peer { share green_t  secrecy internal {alpha}  integrity medium }
label scrubber { share green_t  secrecy secret  guard }
label hermit { }
label red { share red_t }
label blue { share blue_t }
label "odd (1)" { share results_t  secrecy confidential {alpha beta}  integrity low {beta} }
label outpost { secrecy secret }
wall vendors { red_t blue_t }
allow red -> hermit udp/9000-9010 icmp
allow red <-> blue tcp/443 tcp/8000-8100
allow green <-> scrubber tcp/443
allow scrubber -> hermit udp/7
allow hermit <-> hermit tcp/22
allow blue <-> hermit
allow hermit -> outpost udp/53
allow hermit <-> outpost tcp/25
)policy";

constexpr Duration kLimit = std::chrono::seconds(100);

class MatrixProofTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    solver_ = GetParam();
    if (auto started = SmtSolver::start(solver_, kLimit); !started) {
      GTEST_SKIP() << "needs the Debian package " << solver_ << ": " << started.error().describe();
    }
    auto build = build_policy("test.policy", kPolicy);
    ASSERT_TRUE(build) << build.error().front().describe();
    build_ = std::make_unique<PolicyBuild>(std::move(*build));
  }

  CompiledPolicy damaged(std::function<void(CompiledPolicy::Tables&)> const& damage) const {
    auto tables = std::make_unique<CompiledPolicy::Tables>(build_->compiled.tables());
    damage(*tables);
    return CompiledPolicy(std::move(tables));
  }
  Result<MatrixProof> prove(CompiledPolicy const& policy) const {
    MatrixQuestion const question(*build_->document, policy);
    return prove_matrix(question, *build_->document, policy, solver_, kLimit);
  }
  LabelId id(std::string const& name) const {
    return build_->compiled.find_label(LabelName(name)).value_or(LabelId(kLabelsMax));
  }
  Decision ask(Counterexample const& found, CompiledPolicy const& policy) const {
    LabelSet running;
    if (id(found.to).value() < kLabelsMax) running.set(id(found.to).value());
    return decide(
        {found.operation, id(found.from), id(found.to), found.service, Revision(7), &running},
        policy);
  }
  /// The damage shows where the solver says: decide() answers as the statements have it on the
  /// right tables, and the other way on the damaged ones.
  void expect_shown(MatrixProof const& proof, CompiledPolicy const& policy) const {
    ASSERT_TRUE(proof.counterexample);
    Counterexample const& found = *proof.counterexample;
    EXPECT_TRUE(found.confirmed) << found.describe();
    EXPECT_EQ(ask(found, build_->compiled).allowed(), found.statements_allow) << found.describe();
    EXPECT_EQ(ask(found, policy).allowed(), found.tables_allow) << found.describe();
    if (!found.unlicensed) {
      EXPECT_NE(found.statements_allow, found.tables_allow) << found.describe();
    }
  }

  std::string solver_;
  std::unique_ptr<PolicyBuild> build_;
};

INSTANTIATE_TEST_SUITE_P(Solvers, MatrixProofTest, ::testing::ValuesIn(kSolverNames),
                         [](auto const& row) { return std::string(row.param); });

TEST_P(MatrixProofTest, WhatWasCompiledIsProved) {
  auto const proof = prove(build_->compiled);
  ASSERT_TRUE(proof) << proof.error().describe();
  EXPECT_FALSE(proof->counterexample) << proof->counterexample->describe();
  EXPECT_EQ(proof->rows, 9u);
}

TEST_P(MatrixProofTest, EveryDamageToTheTablesIsFoundAndShown) {
  using Tables = CompiledPolicy::Tables;
  auto cell = [this](Tables& tables, char const* from, char const* to) -> PairCell& {
    return tables.pairs[id(from).value() * tables.rules.labels.size() + id(to).value()];
  };
  auto rule = [&](Tables& tables, char const* from, char const* to,
                  std::size_t index) -> ServiceRule& {
    return tables.service_rules[cell(tables, from, to).first_rule + index];
  };
  auto label = [this](Tables& tables, char const* name) -> Label& {
    return tables.rules.labels[id(name).value()].label;
  };
  struct Row {
    char const* what;
    std::function<void(Tables&)> damage;
    Operation operation;
  };
  Row const rows[] = {
      {"a cell gains a type", [&](Tables& t) { cell(t, "hermit", "red").common_type = true; },
       Operation::flow},
      {"a cell loses its type", [&](Tables& t) { cell(t, "red", "red").common_type = false; },
       Operation::flow},
      {"a first port one lower",
       [&](Tables& t) {
         --rule(t, "scrubber", "hermit", 0).low;
         ++rule(t, "scrubber", "hermit", 0).span;
       },
       Operation::flow},
      {"a first port one higher", [&](Tables& t) { ++rule(t, "scrubber", "hermit", 0).low; },
       Operation::flow},
      {"a last port one higher", [&](Tables& t) { ++rule(t, "red", "hermit", 1).span; },
       Operation::flow},
      {"a last port one lower", [&](Tables& t) { --rule(t, "red", "blue", 1).span; },
       Operation::flow},
      {"a range that wraps round", [&](Tables& t) { rule(t, "red", "blue", 0).low = 0xfffffff0; },
       Operation::flow},
      {"another protocol", [&](Tables& t) { rule(t, "red", "hermit", 1).low ^= 0x00170000; },
       Operation::flow},
      {"a rule dropped", [&](Tables& t) { --cell(t, "red", "blue").rule_count; }, Operation::flow},
      {"all rules of a pair dropped", [&](Tables& t) { cell(t, "blue", "hermit").rule_count = 0; },
       Operation::flow},
      {"the rules of another pair",
       [&](Tables& t) {
         cell(t, "hermit", "hermit").first_rule = cell(t, "red", "blue").first_rule;
       },
       Operation::flow},
      {"a direction swapped",
       [&](Tables& t) { std::swap(cell(t, "red", "hermit"), cell(t, "hermit", "red")); },
       Operation::flow},
      {"two ways made one", [&](Tables& t) { rule(t, "blue", "red", 0).either_port = false; },
       Operation::flow},
      {"one way made two", [&](Tables& t) { rule(t, "red", "hermit", 1).either_port = true; },
       Operation::flow},
      {"a bar on a type lifted",
       [&](Tables& t) { cell(t, "results", "green").bar = LevelBar::none; },
       Operation::share_memory},
      {"a bar on a type set",
       [&](Tables& t) { cell(t, "green", "peer").bar = LevelBar::integrity; }, Operation::flow},
      {"a bar on an allow lifted",
       [&](Tables& t) { cell(t, "outpost", "hermit").bar = LevelBar::none; }, Operation::flow},
      {"a bar on an allow set",
       [&](Tables& t) { cell(t, "hermit", "outpost").bar = LevelBar::secrecy; }, Operation::flow},
      {"a guard's cell opened", [&](Tables& t) { cell(t, "green", "scrubber").guarded = false; },
       Operation::flow},
      {"a guard's memory opened",
       [&](Tables& t) {
         cell(t, "scrubber", "peer").bar = LevelBar::none;
         cell(t, "peer", "scrubber").bar = LevelBar::none;
       },
       Operation::assign_device},
      {"a cell guarded without a guard",
       [&](Tables& t) { cell(t, "peer", "green").guarded = true; }, Operation::flow},
      {"a label that is known forgotten", [&](Tables& t) { t.known.reset(id("hermit").value()); },
       Operation::start},
      {"a wall type lost", [&](Tables& t) { label(t, "blue").wall.reset(); }, Operation::start},
      {"a wall type gained", [&](Tables& t) { label(t, "hermit").wall = label(t, "red").wall; },
       Operation::start},
      {"a label on both sides", [&](Tables& t) { label(t, "red").wall |= label(t, "blue").wall; },
       Operation::start},
      {"a wall dropped", [&](Tables& t) { t.rules.walls.clear(); }, Operation::start},
      {"a wall with a type more",
       [&](Tables& t) { t.rules.walls[0].types |= label(t, "green").share; }, Operation::start},
      {"a rule in another statement's name",
       [&](Tables& t) {
         rule(t, "red", "hermit", 0).statement = rule(t, "red", "blue", 0).statement;
       },
       Operation::flow},
  };
  for (auto const& row : rows) {
    CompiledPolicy const policy = damaged(row.damage);
    auto const proof = prove(policy);
    ASSERT_TRUE(proof) << row.what << ": " << proof.error().describe();
    ASSERT_TRUE(proof->counterexample) << row.what;
    EXPECT_EQ(proof->counterexample->operation, row.operation)
        << row.what << ": " << proof->counterexample->describe();
    expect_shown(*proof, policy);
  }
}

/// Whether decide() tells the two apart, by asking it everything: each pair, each operation, and
/// services at and beside every bound that either policy names.
bool decide_differs(CompiledPolicy const& a, CompiledPolicy const& b) {
  std::vector<std::uint16_t> ports = {0, 1, 65535};
  std::vector<std::uint8_t> protocols = {0, 1, 2, 6, 17, 255};
  for (auto const* policy : {&a, &b}) {
    for (auto const& rule : policy->tables().service_rules) {
      for (std::uint32_t const key : {rule.low, rule.low + rule.span}) {
        for (int const step : {-1, 0, 1}) ports.push_back(static_cast<std::uint16_t>(key + step));
        protocols.push_back(static_cast<std::uint8_t>(key >> 16));
      }
    }
  }
  for (auto* list : {&ports}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  std::sort(protocols.begin(), protocols.end());
  protocols.erase(std::unique(protocols.begin(), protocols.end()), protocols.end());
  auto differ = [&](Request const& request) {
    return decide(request, a).allowed() != decide(request, b).allowed();
  };
  for (std::uint16_t from = 0; from < a.label_count(); ++from) {
    for (std::uint16_t to = 0; to < a.label_count(); ++to) {
      LabelSet running;
      running.set(to);
      for (auto operation : {Operation::share_memory, Operation::assign_device, Operation::start}) {
        if (differ({operation, LabelId(from), LabelId(to), {}, Revision(7), &running})) return true;
      }
      for (auto protocol : protocols) {
        for (auto port : ports) {
          for (std::uint16_t const source : {ports.front(), port, ports.back()}) {
            if (differ({Operation::flow,
                        LabelId(from),
                        LabelId(to),
                        {protocol, port, source},
                        Revision(7),
                        nullptr})) {
              return true;
            }
          }
          if (differ({Operation::flow,
                      LabelId(from),
                      LabelId(to),
                      {protocol, 0, port},
                      Revision(7),
                      nullptr})) {
            return true;
          }
        }
      }
    }
  }
  return false;
}

/// One random bit of what decide() reads. Statement numbers stay: they decide nothing.
void flip_something(CompiledPolicy::Tables& tables, std::mt19937& random) {
  auto below = [&](std::size_t bound) { return random() % bound; };
  PairCell& cell = tables.pairs[below(tables.pairs.size())];
  ServiceRule& rule = tables.service_rules[below(tables.service_rules.size())];
  Label& label = tables.rules.labels[below(tables.rules.labels.size())].label;
  switch (below(9)) {
    case 0: cell.common_type = !cell.common_type; return;
    case 1: cell.guarded = !cell.guarded; return;
    case 2: cell.bar = cell.bar == LevelBar::none ? LevelBar::secrecy : LevelBar::none; return;
    case 3: cell.rule_count = static_cast<std::uint8_t>(cell.rule_count / 2); return;
    case 4: rule.low ^= 1u << below(24); return;
    case 5: rule.span ^= 1u << below(16); return;
    case 6: rule.either_port = !rule.either_port; return;
    case 7: label.wall.flip(below(4)); return;
    case 8: tables.rules.walls[0].types.flip(below(4)); return;
  }
}

TEST_P(MatrixProofTest, RandomDamageIsFoundExactlyWhenADecisionChanges) {
  std::size_t found = 0;
  std::size_t harmless = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    CompiledPolicy const policy = damaged([&](auto& tables) { flip_something(tables, random); });
    auto const proof = prove(policy);
    ASSERT_TRUE(proof) << "seed " << seed << ": " << proof.error().describe();
    bool const differs = decide_differs(build_->compiled, policy);
    if (proof->counterexample && proof->counterexample->unlicensed) {
      ++found;  // no verdict changes, but a rule lets more pass than the statement it names
      continue;
    }
    ASSERT_EQ(proof->counterexample.has_value(), differs)
        << "seed " << seed << ": "
        << (proof->counterexample ? proof->counterexample->describe() : "proved");
    if (proof->counterexample) expect_shown(*proof, policy);
    ++(differs ? found : harmless);
  }
  EXPECT_GT(found, 10u);
  EXPECT_GT(harmless, 5u);
}

TEST_P(MatrixProofTest, ACounterexampleNamesTheLine) {
  CompiledPolicy const policy = damaged([&](auto& tables) {
    tables.pairs[id("scrubber").value() * tables.rules.labels.size() + id("hermit").value()]
        .rule_count = 0;
  });
  auto const proof = prove(policy);
  ASSERT_TRUE(proof) << proof.error().describe();
  ASSERT_TRUE(proof->counterexample);
  std::string const text = proof->counterexample->describe();
  EXPECT_NE(text.find("flow scrubber -> hermit udp/7"), std::string::npos) << text;
  EXPECT_NE(text.find(": the statements allow it, the tables deny it\n"), std::string::npos);
  EXPECT_NE(text.find("\n  test.policy:17: allow scrubber -> hermit udp/7\n"), std::string::npos)
      << text;
}

TEST_P(MatrixProofTest, TablesDecideCannotReadAreToldWithoutASolver) {
  CompiledPolicy const policy = damaged([](auto& tables) { tables.pairs[3].rule_count = 200; });
  MatrixQuestion const question(*build_->document, policy);
  ASSERT_EQ(question.disagreements().size(), 1u);
  EXPECT_EQ(question.disagreements()[0], "a cell of the matrix names rules that are not there");
}

std::string random_policy(std::mt19937& random) {
  auto below = [&](std::size_t bound) { return random() % bound; };
  auto one_of = [&](std::vector<std::string> const& words) { return words[below(words.size())]; };
  std::string text = "coalition c revision 1\ntype t0 t1 t2 t3\ncategory c0 c1 c2\n";
  std::size_t const labels = 1 + below(7);
  for (std::size_t i = 0; i < labels; ++i) {
    text += "label l" + std::to_string(i) + " {";
    if (below(4) != 0) text += " share t" + std::to_string(below(4));
    text += one_of({"", " wall none", " wall t0", " wall t1 t3"});
    text += one_of({"", " secrecy internal {c0}", " secrecy secret {c0 c1}", " secrecy secret"});
    text += one_of({"", " integrity medium", " integrity high {c2}", " integrity low {c0 c2}"});
    text += one_of({"", "", "", " guard"}) + " }\n";
  }
  text += one_of({"", "wall w { t0 t1 }\n", "wall w { t0 t2 }\nwall v { t2 t3 }\n"});
  for (std::size_t i = below(12); i > 0; --i) {
    bool const two_way = below(2) == 0;
    text += "allow l" + std::to_string(below(labels)) + (two_way ? " <-> " : " -> ") + "l" +
            std::to_string(below(labels)) +
            one_of({"", " udp/5", " udp/6-8 icmp", " udp", two_way ? " tcp/4-6" : " udp/65535"}) +
            "\n";
  }
  return text;
}

TEST_P(MatrixProofTest, RandomPoliciesAreProved) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    std::string const text = random_policy(random);
    auto const build = build_policy("random.policy", text);
    if (!build) continue;  // a label on both sides of a wall, or too many services of a pair
    MatrixQuestion const question(*build->document, build->compiled);
    auto const proof = prove_matrix(question, *build->document, build->compiled, solver_, kLimit);
    ASSERT_TRUE(proof) << proof.error().describe() << "\n" << text;
    ASSERT_FALSE(proof->counterexample) << proof->counterexample->describe() << "\n" << text;
  }
}

}  // namespace
}  // namespace shamon
