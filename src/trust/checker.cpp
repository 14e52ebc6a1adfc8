#include <map>

#include <fmt/format.h>

#include "trust/limits.hpp"
#include "trust/proof.hpp"

namespace shamon {
namespace {

using Substitution = std::map<std::string, std::string>;

bool term_matches(RuleTerm const& pattern, std::string const& text, Substitution& s) {
  if (!pattern.variable) return pattern.text == text;
  auto const [bound, added] = s.emplace(pattern.text, text);
  return added || bound->second == text;
}

bool atom_matches(RuleAtom const& pattern, Statement const& statement, Substitution& s) {
  if (pattern.predicate != statement.predicate) return false;
  if (pattern.terms.size() != statement.terms.size()) return false;
  if (!term_matches(pattern.speaker, statement.speaker, s)) return false;
  for (std::size_t i = 0; i < pattern.terms.size(); ++i) {
    if (!term_matches(pattern.terms[i], statement.terms[i], s)) return false;
  }
  return true;
}

/// Why a rule step does not hold; empty if it does.
std::string wrong_with_instance(Proof const& proof, std::size_t index, RuleSet const& rules) {
  ProofStep const& step = proof.steps[index];
  Rule const* rule = rules.find(step.rule);
  if (rule == nullptr) return "no such rule";
  if (!step.source.empty()) return "a rule instance has no source";
  if (step.premises.size() != rule->body.size()) return "wrong number of premises";
  Substitution substitution;
  Validity validity;
  for (std::size_t k = 0; k < rule->body.size(); ++k) {
    if (step.premises[k] >= index) return "a premise does not come before its conclusion";
    ProofStep const& premise = proof.steps[step.premises[k]];
    if (!atom_matches(rule->body[k], premise.statement, substitution)) {
      return fmt::format("premise {} is not what the rule asks for", k + 1);
    }
    validity.from = std::max(validity.from, premise.validity.from);
    validity.until = std::min(validity.until, premise.validity.until);
  }
  if (!atom_matches(rule->head, step.statement, substitution)) return "not what the rule concludes";
  if (validity != step.validity) return "validity is not that of the premises";
  return {};
}

std::string wrong_with_fact(ProofStep const& step, BelievesFact const& believes) {
  if (!step.premises.empty()) return "a fact has no premises";
  if (step.source.empty()) return "a fact needs a source";
  if (!believes(step)) return "the fact is not believed";
  return {};
}

}  // namespace

Status check_proof(Proof const& proof, RuleSet const& rules, BelievesFact const& believes) {
  if (proof.steps.empty()) return fail(Errc::untrusted, "an empty proof proves nothing");
  if (proof.steps.size() > kProofStepsMax) return fail(Errc::too_large, "proof has too many steps");
  std::vector<bool> used(proof.steps.size(), false);
  for (std::size_t i = 0; i < proof.steps.size(); ++i) {
    ProofStep const& step = proof.steps[i];
    std::string wrong =
        step.rule.empty() ? wrong_with_fact(step, believes) : wrong_with_instance(proof, i, rules);
    if (wrong.empty() && step.validity.until <= step.validity.from) wrong = "it is never valid";
    if (!wrong.empty()) return fail(Errc::untrusted, fmt::format("step {}: {}", i + 1, wrong));
    for (auto const premise : step.premises) used[premise] = true;
  }
  for (std::size_t i = 0; i + 1 < used.size(); ++i) {
    if (!used[i]) return fail(Errc::untrusted, fmt::format("step {}: nothing uses it", i + 1));
  }
  return {};
}

}  // namespace shamon
