// What the engine answers: what holds, why, and why not.
#include <set>

#include "trust/engine_state.hpp"
#include "trust/text.hpp"

namespace shamon {
using namespace trust_detail;

namespace {

Statement to_statement(Atom const& atom, Symbols const& symbols) {
  Statement statement{symbols.text(atom.terms[0]), symbols.text(atom.predicate), {}};
  for (std::size_t i = 1; i < atom.count; ++i) {
    statement.terms.push_back(symbols.text(atom.terms[i]));
  }
  return statement;
}

}  // namespace

std::vector<Statement> TrustEngine::find(Pattern const& pattern, std::size_t count_max) const {
  std::vector<Statement> out;
  FactBase const& facts = state_->facts;
  Symbol const predicate = facts.symbols.find(pattern.predicate);
  Postings const* best = predicate == kNoSymbol ? nullptr : facts.all_of(predicate);
  for (std::size_t i = 0; best != nullptr && i < pattern.terms.size(); ++i) {
    if (!pattern.terms[i]) continue;
    Symbol const term = facts.symbols.find(*pattern.terms[i]);
    auto const* list = term == kNoSymbol ? nullptr : facts.with_term(predicate, i + 1, term);
    if (list == nullptr || list->facts.size() < best->facts.size()) best = list;
  }
  if (best == nullptr) return out;
  for (FactRef const ref : best->facts) {
    if (out.size() == count_max) break;
    if (!facts.alive(ref) || !facts[ref.id].holds) continue;
    Statement statement = to_statement(facts[ref.id].atom, facts.symbols);
    bool fits = statement.terms.size() == pattern.terms.size() &&
                (!pattern.speaker || *pattern.speaker == statement.speaker);
    for (std::size_t i = 0; fits && i < pattern.terms.size(); ++i) {
      fits = !pattern.terms[i] || *pattern.terms[i] == statement.terms[i];
    }
    if (fits) out.push_back(std::move(statement));
  }
  return out;
}

std::optional<Proof> TrustEngine::prove(Statement const& statement) const {
  auto const goal = state_->find(statement);
  FactBase const& facts = state_->facts;
  if (!goal || !facts[*goal].holds) return std::nullopt;
  Proof proof;
  std::unordered_map<FactId, std::uint32_t> number;
  // Premises first, with an explicit stack: a proof may be deeper than our own.
  std::vector<std::pair<FactId, std::size_t>> stack{{*goal, 0}};
  while (!stack.empty()) {
    auto& [id, next] = stack.back();
    Fact const& fact = facts[id];
    if (next < fact.support.premises.size()) {
      FactId const premise = fact.support.premises[next++];
      if (!number.contains(premise)) stack.emplace_back(premise, 0);
      continue;
    }
    FactId const done = id;
    stack.pop_back();
    if (number.contains(done)) continue;
    if (proof.steps.size() == kProofStepsMax) return std::nullopt;
    ProofStep step;
    step.statement = to_statement(fact.atom, facts.symbols);
    if (fact.support.rule == kNoRule) {
      step.validity = fact.assertion->validity;
      step.source = fact.assertion->source;
    } else {
      step.rule = state_->rules.rules[fact.support.rule].name;
      for (FactId const premise : fact.support.premises) {
        step.premises.push_back(number.at(premise));
        step.validity = intersect(step.validity, proof.steps[step.premises.back()].validity);
      }
    }
    number.emplace(done, static_cast<std::uint32_t>(proof.steps.size()));
    proof.steps.push_back(std::move(step));
  }
  return proof;
}

namespace {

/// In a goal, kNoSymbol stands for "any".
bool unify_goal(AtomPattern const& head, Atom const& goal, Binding& binding) noexcept {
  if (head.predicate != goal.predicate || head.count != goal.count) return false;
  for (std::size_t i = 0; i < head.count; ++i) {
    PatternTerm const term = head.terms[i];
    if (goal.terms[i] == kNoSymbol) continue;
    if (!term.variable) {
      if (term.value != goal.terms[i]) return false;
    } else if (binding[term.value] == kNoSymbol) {
      binding[term.value] = goal.terms[i];
    } else if (binding[term.value] != goal.terms[i]) {
      return false;
    }
  }
  return true;
}

std::string goal_text(Atom const& goal, Symbols const& symbols) {
  auto const term = [&](std::size_t i) {
    return goal.terms[i] == kNoSymbol ? std::string("_") : quote_term(symbols.text(goal.terms[i]));
  };
  std::string out = term(0) + " says " + symbols.text(goal.predicate) + "(";
  for (std::size_t i = 1; i < goal.count; ++i) out += (i == 1 ? "" : ", ") + term(i);
  return out + ")";
}

/// Follows a rule's premises in their written order and remembers how far facts carried it.
class Furthest {
 public:
  Furthest(FactBase const& facts, CompiledRule const& rule) : facts_(facts), rule_(rule) {}

  void search(Binding const& binding, std::size_t depth) {
    if (!reached_ || depth > depth_) {
      reached_ = true;
      depth_ = depth;
      binding_ = binding;
    }
    if (depth == rule_.body.size()) return;
    Postings const* const postings = facts_.all_of(rule_.body[depth].predicate);
    Postings const* best = postings;
    for (std::size_t i = 1; best != nullptr && i < rule_.body[depth].count; ++i) {
      PatternTerm const term = rule_.body[depth].terms[i];
      Symbol const value = term.variable ? binding[term.value] : term.value;
      if (value == kNoSymbol) continue;
      auto const* list = facts_.with_term(rule_.body[depth].predicate, i, value);
      if (list == nullptr || list->facts.size() < best->facts.size()) best = list;
    }
    if (best == nullptr) return;
    for (FactRef const ref : best->facts) {
      if (budget_ == 0 || depth_ == rule_.body.size()) return;
      --budget_;
      if (!facts_.alive(ref) || !facts_[ref.id].holds) continue;
      Binding extended = binding;
      if (unify(rule_.body[depth], facts_[ref.id].atom, extended)) search(extended, depth + 1);
    }
  }

  std::size_t depth() const noexcept { return depth_; }
  /// The premise that stopped the search, as a goal.
  Atom lacking() const { return instantiate(rule_.body[depth_], binding_); }

 private:
  FactBase const& facts_;
  CompiledRule const& rule_;
  std::size_t budget_ = 100'000;  // an explanation may stop looking for a better one
  bool reached_ = false;
  std::size_t depth_ = 0;
  Binding binding_ = unbound();
};

}  // namespace

std::optional<MissingPremise> TrustEngine::State::missing_once(Atom const& wanted,
                                                               Atom& lacking) const {
  auto const rules_for = in_heads.find(wanted.predicate);
  if (rules_for == in_heads.end()) return std::nullopt;
  std::optional<MissingPremise> best;
  std::size_t best_left = 0;
  for (std::uint32_t const r : rules_for->second) {
    Binding binding = unbound();
    if (!unify_goal(compiled[r].head, wanted, binding)) continue;
    Furthest furthest(facts, compiled[r]);
    furthest.search(binding, 0);
    std::size_t const left = compiled[r].body.size() - furthest.depth();
    if (left == 0 || (best && left >= best_left)) continue;
    best_left = left;
    lacking = furthest.lacking();
    best = MissingPremise{rules.rules[r].name, goal_text(lacking, facts.symbols)};
  }
  return best;
}

std::vector<MissingPremise> TrustEngine::missing(Statement const& statement) const {
  std::vector<MissingPremise> out;
  if (holds(statement)) return out;
  auto wanted = state_->find_atom(statement);
  if (!wanted) return {MissingPremise{"", to_text(statement)}};
  std::set<std::string> seen;
  while (out.size() < kMissingDepthMax) {
    Atom lacking;
    auto premise = state_->missing_once(*wanted, lacking);
    if (!premise || !seen.insert(premise->premise).second) break;
    out.push_back(std::move(*premise));
    wanted = lacking;
  }
  if (out.empty()) out.push_back({"", to_text(statement)});
  return out;
}

}  // namespace shamon
