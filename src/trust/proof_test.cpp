#include "trust/proof.hpp"

#include <set>

#include <gtest/gtest.h>

#include "trust/engine.hpp"
#include "trust/limits.hpp"

namespace shamon {
namespace {

/// p holds by a chain of two rules over three facts.
struct Example {
  Proof proof;
  std::set<std::tuple<Statement, Validity, std::string>> facts;

  bool believes(ProofStep const& step) const {
    return facts.contains({step.statement, step.validity, step.source});
  }
  Status check(Proof const& other) const {
    return check_proof(other, builtin_rules(), [this](auto const& s) { return believes(s); });
  }
};

Example example() {
  Example out;
  TrustEngine engine(builtin_rules());
  auto const add = [&](std::string predicate, std::vector<std::string> terms, std::int64_t until) {
    Statement const fact{"authority", std::move(predicate), std::move(terms)};
    Validity const validity{{0}, {until}};
    EXPECT_TRUE(engine.insert(fact, validity, "quote \"1\"\n"));
    out.facts.emplace(fact, validity, "quote \"1\"\n");
  };
  add("registered", {"h", "ek"}, 100);
  add("policy_of", {"c", "p"}, 90);
  add("fits", {"h", "p", "f.policy:3"}, 80);
  add("quoted", {"h", "s"}, 70);
  add("measured", {"h", "s", "start", "end", "gate", "d"}, 60);
  add("approved", {"gate", "d"}, 50);
  add("required", {"c", "start", "end", "gate"}, 40);
  auto proof = engine.prove({"authority", "member", {"h", "c"}});
  EXPECT_TRUE(proof);
  if (proof) out.proof = *proof;
  return out;
}

TEST(Proof, survives_its_text_form) {
  Example const e = example();
  ASSERT_TRUE(e.check(e.proof));
  auto const again = parse_proof(encode_proof(e.proof));
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_EQ(*again, e.proof);
  EXPECT_GT(proof_lines(e.proof, builtin_rules()).size(), 7u);
}

TEST(ProofChecker, refuses_every_change_of_a_single_term) {
  Example const e = example();
  auto const refused = [&](Proof const& proof, std::size_t step, char const* what) {
    EXPECT_FALSE(e.check(proof)) << what << " of step " << step + 1 << "\n" << encode_proof(proof);
  };
  std::set<std::string> words{"other"};
  for (auto const& step : e.proof.steps) {
    words.insert(step.statement.terms.begin(), step.statement.terms.end());
  }
  for (std::size_t i = 0; i < e.proof.steps.size(); ++i) {
    Proof bad = e.proof;
    ProofStep& step = bad.steps[i];
    ProofStep const& good = e.proof.steps[i];
    for (std::size_t t = 0; t < step.statement.terms.size(); ++t) {
      for (auto const& word : words) {
        if (word == good.statement.terms[t]) continue;
        step = good;
        step.statement.terms[t] = word;
        refused(bad, i, "a term");
      }
    }
    step = good, step.statement.speaker = "mallory", refused(bad, i, "the speaker");
    step = good, step.statement.predicate += "x", refused(bad, i, "the predicate");
    step = good, step.statement.terms.push_back("x"), refused(bad, i, "the arity");
    step = good, step.validity.until = step.validity.until + std::chrono::milliseconds(1);
    refused(bad, i, "the end");
    step = good, step.validity.from = WallTime{1}, refused(bad, i, "the beginning");
    step = good, step.source += "x", refused(bad, i, "the source");
    for (auto const& rule : builtin_rules().rules) {
      if (rule.name == good.rule) continue;
      step = good, step.rule = rule.name, refused(bad, i, "the rule");
    }
    if (!good.rule.empty()) step = good, step.rule = "", refused(bad, i, "the kind");
    for (std::size_t k = 0; k < good.premises.size(); ++k) {
      for (std::uint32_t p = 0; p <= e.proof.steps.size(); ++p) {
        if (p == good.premises[k]) continue;
        bad = e.proof;
        bad.steps[i].premises[k] = p;
        refused(bad, i, "a premise");
      }
    }
  }
}

TEST(ProofChecker, refuses_what_is_empty_unused_or_too_long) {
  Example const e = example();
  EXPECT_FALSE(e.check(Proof{}));
  Proof unused = e.proof;
  unused.steps.push_back(unused.steps.front());
  EXPECT_FALSE(e.check(unused));
  Proof repeated;
  repeated.steps.assign(kProofStepsMax + 1, e.proof.steps.front());
  EXPECT_EQ(e.check(repeated).error().code, Errc::too_large);
}

TEST(Proof, text_that_is_not_a_proof_is_refused_with_its_place) {
  struct Row {
    char const* text;
    Errc code;
  };
  for (Row const row :
       {Row{"", Errc::malformed}, Row{"shamon-proof 2\n", Errc::malformed},
        Row{"shamon-proof 1\n", Errc::malformed},
        Row{"shamon-proof 1\n2 fact a says p(x) from 0 until 1 source s", Errc::malformed},
        Row{"shamon-proof 1\n1 fact a says p() from 0 until 1 source s", Errc::malformed},
        Row{"shamon-proof 1\n1 fact a says p(x) from -1 until 1 source s", Errc::malformed},
        Row{"shamon-proof 1\n1 fact a says p(x) from 00 until 1 source s", Errc::malformed},
        Row{"shamon-proof 1\n1 rule r a says p(x) from 0 until 1 by 1", Errc::malformed},
        Row{"shamon-proof 1\n1 rule r a says p(x) from 0 until 1 by 0", Errc::malformed},
        Row{"shamon-proof 1\n1 fact a says p(\"x) from 0", Errc::malformed},
        Row{"shamon-proof 1\n1 fact a says p(1,2,3,4,5,6,7,8,9) from 0", Errc::too_large}}) {
    auto const proof = parse_proof(row.text);
    ASSERT_FALSE(proof) << row.text;
    EXPECT_EQ(proof.error().code, row.code) << row.text;
  }
}

TEST(Rules, that_could_say_infinitely_much_or_are_malformed_are_refused) {
  struct Row {
    std::string text;
    Errc code;
  };
  std::string many;
  for (std::size_t i = 0; i < kRuleBodyMax + 1; ++i) many += (i ? ", A says p(X)" : "A says p(X)");
  for (Row const& row :
       {Row{"rule a \"m\" A says p(X) if A says q(Y).", Errc::invalid},
        Row{"rule a \"m\" B says p(X) if A says q(X).", Errc::invalid},
        Row{"rule a \"m\" A says p(X) if A says p(X, X).", Errc::invalid},
        Row{"rule a \"m\" A says p(X) if A says q(X). rule a \"m\" A says p(X) if A says q(X).",
            Errc::invalid},
        Row{"rule a \"m\" A says p(X).", Errc::malformed},
        Row{"rule a \"m\" A says P(X) if A says q(X).", Errc::malformed},
        Row{"rule a \"m\" A says p(X) if A says q(X)", Errc::malformed},
        Row{"rule a \"m\" A says p(X) if A says q(X,).", Errc::malformed},
        Row{"rule a \"m\" A says p(X) if " + many + ".", Errc::too_large}}) {
    auto const rules = parse_rules(row.text);
    ASSERT_FALSE(rules) << row.text;
    EXPECT_EQ(rules.error().code, row.code) << row.text << ": " << rules.error().describe();
  }
  EXPECT_GE(builtin_rules().rules.size(), 10u);
}

}  // namespace
}  // namespace shamon
