#include "trust/engine.hpp"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace shamon {
namespace {

Statement says(std::string predicate, std::vector<std::string> terms) {
  return {"authority", std::move(predicate), std::move(terms)};
}

void give(TrustEngine& engine, Statement const& fact, Validity validity = {}) {
  auto const ok = engine.insert(fact, validity, "test");
  ASSERT_TRUE(ok) << ok.error().describe();
}

/// A host with two components, a policy and all else that membership takes.
TrustEngine engine_with_host() {
  TrustEngine engine(builtin_rules());
  EXPECT_TRUE(engine.advance(WallTime{1000}));
  give(engine, says("registered", {"shype1", "ek1"}));
  give(engine, says("policy_of", {"boinc", "p7"}));
  give(engine, says("fits", {"shype1", "p7", "boinc.policy:19"}));
  give(engine, says("quoted", {"shype1", "s1"}), {{1000}, {61'000}});
  give(engine, says("measured", {"shype1", "s1", "start", "1", "shamond", "d1"}));
  give(engine, says("measured", {"shype1", "s1", "1", "end", "shamon-gate", "d2"}));
  give(engine, says("required", {"boinc", "start", "1", "shamon-gate"}));
  give(engine, says("required", {"boinc", "1", "end", "shamond"}));
  give(engine, says("approved", {"shamond", "d1"}));
  give(engine, says("approved", {"shamon-gate", "d2"}));
  return engine;
}

Statement const kMember = says("member", {"shype1", "boinc"});

TEST(TrustEngine, a_machine_with_all_it_takes_is_a_member_and_the_proof_checks) {
  TrustEngine engine = engine_with_host();
  ASSERT_TRUE(engine.holds(kMember));
  auto const proof = engine.prove(kMember);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->conclusion().statement, kMember);
  EXPECT_EQ(proof->conclusion().validity, (Validity{{1000}, {61'000}}));
  auto const ok = check_proof(*proof, builtin_rules(), [&](ProofStep const& step) {
    return engine.source_of(step.statement) != nullptr;
  });
  EXPECT_TRUE(ok) << ok.error().describe();
}

TEST(TrustEngine, each_fact_is_needed) {
  std::vector<Statement> const facts = {
      says("registered", {"shype1", "ek1"}),
      says("policy_of", {"boinc", "p7"}),
      says("fits", {"shype1", "p7", "boinc.policy:19"}),
      says("quoted", {"shype1", "s1"}),
      says("measured", {"shype1", "s1", "start", "1", "shamond", "d1"}),
      says("measured", {"shype1", "s1", "1", "end", "shamon-gate", "d2"}),
      says("required", {"boinc", "start", "1", "shamon-gate"}),
      says("approved", {"shamond", "d1"}),
      says("approved", {"shamon-gate", "d2"}),
  };
  for (auto const& fact : facts) {
    TrustEngine engine = engine_with_host();
    EXPECT_TRUE(engine.retract(fact)) << to_text(fact);
    EXPECT_FALSE(engine.holds(kMember)) << to_text(fact);
    EXPECT_FALSE(engine.missing(kMember).empty()) << to_text(fact);
    give(engine, fact);
    EXPECT_TRUE(engine.holds(kMember)) << to_text(fact);
    EXPECT_TRUE(engine.missing(kMember).empty());
  }
}

TEST(TrustEngine, what_is_missing_is_named_down_to_the_fact) {
  TrustEngine engine = engine_with_host();
  engine.retract(says("approved", {"shamond", "d1"}));
  auto const missing = engine.missing(kMember);
  ASSERT_FALSE(missing.empty());
  EXPECT_EQ(missing.front().rule, "member");
  EXPECT_EQ(missing.back().rule, "state_step");
  EXPECT_EQ(missing.back().premise, "authority says approved(shamond, d1)");
}

TEST(TrustEngine, facts_end_by_themselves_and_renewal_keeps_them) {
  struct Row {
    std::int64_t renewed_until;  // 0: not renewed
    std::int64_t now;
    bool member;
  };
  for (Row const row : {Row{0, 60'999, true}, Row{0, 61'000, false}, Row{90'000, 61'000, true},
                        Row{90'000, 89'999, true}, Row{90'000, 90'000, false},
                        Row{30'000, 29'999, true}, Row{30'000, 30'000, false}}) {
    TrustEngine engine = engine_with_host();
    if (row.renewed_until != 0) {
      give(engine, says("quoted", {"shype1", "s1"}), {{1000}, {row.renewed_until}});
    }
    ASSERT_TRUE(engine.advance(WallTime{row.now}));
    EXPECT_EQ(engine.holds(kMember), row.member) << row.renewed_until << " " << row.now;
  }
}

TEST(TrustEngine, facts_of_the_future_begin_when_their_time_comes) {
  TrustEngine engine = engine_with_host();
  give(engine, says("approved", {"shamond", "d1"}), {{5000}, {6000}});
  EXPECT_FALSE(engine.holds(kMember));
  ASSERT_TRUE(engine.advance(WallTime{5000}));
  EXPECT_TRUE(engine.holds(kMember));
  ASSERT_TRUE(engine.advance(WallTime{6000}));
  EXPECT_FALSE(engine.holds(kMember));
  EXPECT_FALSE(engine.insert(says("x", {"y"}), {{0}, {6000}}, "s"));
}

TEST(TrustEngine, all_facts_that_match_are_taken_back_and_nothing_else) {
  TrustEngine engine = engine_with_host();
  std::size_t const before = engine.fact_count();
  give(engine, says("measured", {"shype2", "s1", "start", "end", "shamond", "d1"}));
  // One of these begins later; derived facts match too, and are nobody's to take back.
  give(engine, says("quoted", {"shype2", "s1"}), {{5000}, {9000}});
  engine.retract_all({"authority", "has", {"shype1", {}, {}}});
  engine.retract_all({"somebody", "quoted", {"shype1", {}}});
  EXPECT_TRUE(engine.holds(kMember));
  engine.retract_all({"authority", "quoted", {{}, "s1"}});
  EXPECT_FALSE(engine.holds(kMember));
  engine.retract_all({"authority", "measured", {"shype1", {}, {}, {}, {}, {}}});
  EXPECT_TRUE(engine.holds(says("has", {"shype2", "s1", "shamond"})));
  engine.retract_all({{}, "measured", {"shype2", {}, {}, {}, {}, {}}});
  ASSERT_TRUE(engine.advance(WallTime{5000}));
  EXPECT_FALSE(engine.holds(says("quoted", {"shype2", "s1"})));
  for (auto const& fact : {says("quoted", {"shype1", "s1"}),
                           says("measured", {"shype1", "s1", "start", "1", "shamond", "d1"}),
                           says("measured", {"shype1", "s1", "1", "end", "shamon-gate", "d2"})}) {
    give(engine, fact);
  }
  EXPECT_TRUE(engine.holds(kMember));
  EXPECT_EQ(engine.fact_count(), before);
}

TEST(TrustEngine, a_campus_speaks_only_for_machines_that_stand_there) {
  TrustEngine engine(builtin_rules());
  give(engine, says("vouches", {"campus1", "registration", "north"}));
  for (std::string const host : {"h1", "h2"}) {
    ASSERT_TRUE(engine.insert({"campus1", "registered", {host, "ek-" + host}}, {}, "campus1"));
  }
  ASSERT_TRUE(engine.insert({"campus1", "located", {"h1", "north"}}, {}, "campus1"));
  ASSERT_TRUE(engine.insert({"campus1", "located", {"h2", "south"}}, {}, "campus1"));
  EXPECT_TRUE(engine.holds(says("registered", {"h1", "ek-h1"})));
  EXPECT_FALSE(engine.holds(says("registered", {"h2", "ek-h2"})));
}

TEST(TrustEngine, pairs_are_answered_when_asked) {
  TrustEngine engine = engine_with_host();
  give(engine, says("label_of", {"boinc", "green"}));
  give(engine, says("enforces", {"shype1", "p7"}));
  Statement const bridge = says("may_bridge", {"shype1", "shype1", "green"});
  EXPECT_FALSE(engine.holds(bridge));
  give(engine, says("asked", {"shype1", "shype1"}));
  EXPECT_TRUE(engine.holds(bridge));
  EXPECT_EQ(engine.find({"authority", "may_bridge", {"shype1", {}, {}}}, 10).size(), 1u);
}

TEST(TrustEngine, a_change_that_would_derive_too_much_is_refused_and_undone) {
  auto const rules = parse_rules(R"(rule many "any six items" A says six(items)
    if A says item(U), A says item(V), A says item(W), A says item(X), A says item(Y),
       A says item(Z).)");
  ASSERT_TRUE(rules);
  TrustEngine engine(*rules);
  std::size_t items = 0;
  Status ok;
  while ((ok = engine.insert(says("item", {std::to_string(items)}), {}, "test"))) ++items;
  EXPECT_EQ(ok.error().code, Errc::too_large);
  EXPECT_EQ(engine.fact_count(), items + 1);
  EXPECT_FALSE(engine.holds(says("item", {std::to_string(items)})));
}

// The oracle: naive evaluation round by round, which also gives every least height.

using Derived = std::map<Statement, std::uint32_t>;

bool bind(RuleTerm const& pattern, std::string const& text, std::map<std::string, std::string>& b) {
  if (!pattern.variable) return pattern.text == text;
  return b.emplace(pattern.text, text).first->second == text;
}

void match_from(Rule const& rule, std::size_t premise, std::map<std::string, std::string> const& b,
                Derived const& known, std::uint32_t round, Derived& fresh) {
  auto const value = [&](RuleTerm const& t) { return t.variable ? b.at(t.text) : t.text; };
  if (premise == rule.body.size()) {
    Statement head{value(rule.head.speaker), rule.head.predicate, {}};
    for (auto const& term : rule.head.terms) head.terms.push_back(value(term));
    if (!known.contains(head)) fresh.emplace(std::move(head), round);
    return;
  }
  RuleAtom const& atom = rule.body[premise];
  for (auto const& [fact, height] : known) {
    if (fact.predicate != atom.predicate) continue;
    auto extended = b;
    bool ok = bind(atom.speaker, fact.speaker, extended);
    for (std::size_t i = 0; ok && i < atom.terms.size(); ++i) {
      ok = bind(atom.terms[i], fact.terms[i], extended);
    }
    if (ok) match_from(rule, premise + 1, extended, known, round, fresh);
  }
}

Derived naive(RuleSet const& rules, std::set<Statement> const& facts) {
  Derived known;
  for (auto const& fact : facts) known.emplace(fact, 0);
  for (std::uint32_t round = 1;; ++round) {
    Derived fresh;
    for (auto const& rule : rules.rules) match_from(rule, 0, {}, known, round, fresh);
    if (fresh.empty()) return known;
    known.merge(fresh);
  }
}

std::uint32_t height_of(Proof const& proof) {
  std::vector<std::uint32_t> heights;
  for (auto const& step : proof.steps) {
    std::uint32_t height = 0;
    for (auto const p : step.premises) height = std::max(height, heights[p] + 1);
    heights.push_back(height);
  }
  return heights.back();
}

char const* const kPredicates[] = {"p", "q", "r", "s"};

/// Rules over four binary predicates, often recursive.
RuleSet random_rules(std::mt19937& random) {
  auto const pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  RuleSet set;
  unsigned const count = 2 + pick(5);
  for (unsigned i = 0; i < count; ++i) {
    Rule rule;
    rule.name = "rule" + std::to_string(i);
    char const* const variables[] = {"X", "Y", "Z"};
    std::vector<std::string> bound;
    unsigned const body = 1 + pick(3);
    for (unsigned k = 0; k < body; ++k) {
      RuleAtom atom{{true, "A"}, kPredicates[pick(4)], {}};
      for (int t = 0; t < 2; ++t) {
        bool const constant = pick(8) == 0;
        atom.terms.push_back({!constant, constant ? "c0" : variables[pick(3)]});
        if (!constant) bound.push_back(atom.terms.back().text);
      }
      rule.body.push_back(std::move(atom));
    }
    rule.head = {{true, "A"}, kPredicates[pick(4)], {}};
    for (int t = 0; t < 2; ++t) {
      if (bound.empty()) {
        rule.head.terms.push_back({false, "c1"});
      } else {
        rule.head.terms.push_back({true, bound[pick(static_cast<unsigned>(bound.size()))]});
      }
    }
    set.rules.push_back(std::move(rule));
  }
  return set;
}

void expect_same(TrustEngine const& engine, Derived const& expected) {
  std::size_t found = 0;
  for (auto const* predicate : kPredicates) {
    found += engine.find({{}, predicate, {{}, {}}}, 100'000).size();
  }
  ASSERT_EQ(found, expected.size());
  for (auto const& [statement, height] : expected) {
    auto const proof = engine.prove(statement);
    ASSERT_TRUE(proof) << to_text(statement);
    ASSERT_EQ(height_of(*proof), height) << to_text(statement);
    auto const ok = check_proof(*proof, engine.rules(), [&](ProofStep const& step) {
      return engine.source_of(step.statement) != nullptr;
    });
    ASSERT_TRUE(ok) << ok.error().describe();
  }
}

TEST(TrustEngine, random_changes_leave_exactly_what_naive_evaluation_derives) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    RuleSet const rules = random_rules(random);
    TrustEngine engine(rules);
    std::map<Statement, std::int64_t> facts;  // until
    std::int64_t now = 1;
    for (int change = 0; change < 40; ++change) {
      Statement fact{"a", kPredicates[random() % 4], {}};
      for (int t = 0; t < 2; ++t) fact.terms.push_back("c" + std::to_string(random() % 4));
      switch (random() % 5) {
        case 0: EXPECT_EQ(engine.retract(fact), facts.erase(fact) == 1); break;
        case 1:
          if (!facts.empty()) {
            auto const victim = std::next(facts.begin(), random() % facts.size());
            EXPECT_TRUE(engine.retract(victim->first));
            facts.erase(victim);
          }
          break;
        case 2:
          now += random() % 5;
          ASSERT_TRUE(engine.advance(WallTime{now}));
          std::erase_if(facts, [&](auto const& entry) { return entry.second <= now; });
          break;
        default:
          facts[fact] = now + 1 + random() % 20;
          ASSERT_TRUE(engine.insert(fact, {{0}, {facts[fact]}}, "random"));
      }
      std::set<Statement> given;
      for (auto const& entry : facts) given.insert(entry.first);
      expect_same(engine, naive(rules, given));
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace shamon
