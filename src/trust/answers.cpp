// What the engine answers: what holds, why, and why not.
#include <set>

#include "trust/engine_state.hpp"
#include "trust/text.hpp"

namespace shamon {
using namespace trust_detail;

namespace {

Statement to_statement(AtomView atom, Symbols const& symbols) {
  Statement statement{
      std::string(symbols.text(atom.terms[0])), std::string(symbols.text(atom.predicate)), {}};
  for (Symbol const term : atom.terms.subspan(1)) {
    statement.terms.emplace_back(symbols.text(term));
  }
  return statement;
}

}  // namespace

std::vector<FactId> TrustEngine::State::find_all(Pattern const& pattern) const {
  AtomPattern wanted;
  std::size_t variables = 0;
  bool known = pattern.terms.size() <= kStatementTermsMax;
  auto const add = [&](std::optional<std::string> const& text) {
    PatternTerm& term = wanted.terms[wanted.count++];
    term.variable = !text;
    term.value = text ? facts.symbols.find(*text) : static_cast<Symbol>(variables++);
    known = known && term.value != kNoSymbol;
  };
  wanted.predicate = facts.symbols.find(pattern.predicate);
  add(pattern.speaker);
  for (std::size_t i = 0; known && i < pattern.terms.size(); ++i) add(pattern.terms[i]);
  std::vector<FactId> out;
  FactBase::List const* const list = known ? narrowest(facts, wanted, unbound()) : nullptr;
  if (list == nullptr) return out;
  for (FactId id = list->first; id != kNoFact; id = facts.next(*list, id)) {
    Binding binding = unbound();
    if (unify(wanted, facts.atom(id), binding)) out.push_back(id);
  }
  return out;
}

std::vector<Statement> TrustEngine::find(Pattern const& pattern, std::size_t count_max) const {
  std::vector<Statement> out;
  for (FactId const id : state_->find_all(pattern)) {
    if (out.size() == count_max) break;
    FactBase const& facts = state_->facts;
    if (facts[id].holds) out.push_back(to_statement(facts.atom(id), facts.symbols));
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
    if (next < fact.use_count) {
      FactId const premise = facts.support(id)[next++].premise;
      if (!number.contains(premise)) stack.emplace_back(premise, 0);
      continue;
    }
    FactId const done = id;
    stack.pop_back();
    if (number.contains(done)) continue;
    if (proof.steps.size() == kProofStepsMax) return std::nullopt;
    ProofStep step;
    step.statement = to_statement(facts.atom(done), facts.symbols);
    if (fact.rule == kNoRule) {
      step.validity = facts.assertion(done)->validity;
      step.source = facts.assertion(done)->source;
    } else {
      step.rule = state_->rules.rules[fact.rule].name;
      for (Use const& use : facts.support(done)) {
        step.premises.push_back(number.at(use.premise));
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
  std::string out = term(0) + " says ";
  out += symbols.text(goal.predicate);
  out += '(';
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
    FactBase::List const* const list = narrowest(facts_, rule_.body[depth], binding);
    if (list == nullptr) return;
    for (FactId id = list->first; id != kNoFact; id = facts_.next(*list, id)) {
      if (budget_ == 0 || depth_ == rule_.body.size()) return;
      --budget_;
      if (!facts_[id].holds) continue;
      Binding extended = binding;
      if (unify(rule_.body[depth], facts_.atom(id), extended)) search(extended, depth + 1);
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
