// Rules with their names interned, and the search for the ways their premises match.
// For trust/engine.cpp only.
#pragma once

#include "trust/fact_base.hpp"
#include "trust/rules.hpp"

namespace shamon::trust_detail {

/// A term of a rule: a constant's symbol or a variable's number.
struct PatternTerm {
  bool variable = false;
  Symbol value = 0;
};
struct AtomPattern {
  Symbol predicate = 0;
  std::uint8_t count = 0;
  std::array<PatternTerm, kStatementTermsMax + 1> terms{};
};
struct CompiledRule {
  AtomPattern head;
  std::vector<AtomPattern> body;
};
std::vector<CompiledRule> compile_rules(RuleSet const& rules, Symbols& symbols);

/// Values of a rule's variables; kNoSymbol: not bound.
using Binding = std::array<Symbol, kRuleVariablesMax>;
Binding unbound() noexcept;
/// Extends the binding so that the pattern is the atom. False: it cannot be (binding undefined).
bool unify(AtomPattern const& pattern, AtomView atom, Binding& binding) noexcept;
Atom instantiate(AtomPattern const& pattern, Binding const& binding) noexcept;
/// The shortest list that holds all candidates; null if there are none.
FactBase::List const* narrowest(FactBase const& facts, AtomPattern const& pattern,
                                Binding const& binding);

/// Finds every way to match a rule's premises with facts that hold.
class Join {
 public:
  Join(FactBase const& facts, CompiledRule const& rule, std::size_t& budget)
      : facts_(facts), rule_(rule), budget_(budget), premises_(rule.body.size(), kNoFact) {}

  /// Premise `index` is this fact.
  void fix(std::size_t index, FactId fact) { premises_[index] = fact; }
  /// Calls `found(binding, premises)` for each match. False if the budget ran out.
  template <class Found>
  bool run(Binding const& binding, Found&& found) {
    std::size_t const next = choose(binding);
    if (next == premises_.size()) {
      found(binding, premises_);
      return true;
    }
    FactBase::List const* const list = narrowest(facts_, rule_.body[next], binding);
    if (list == nullptr) return true;
    for (FactId id = list->first; id != kNoFact; id = facts_.next(*list, id)) {
      if (budget_ == 0) return false;
      --budget_;
      if (!facts_[id].holds) continue;
      Binding extended = binding;
      if (!unify(rule_.body[next], facts_.atom(id), extended)) continue;
      premises_[next] = id;
      bool const ok = run(extended, found);
      premises_[next] = kNoFact;
      if (!ok) return false;
    }
    return true;
  }

 private:
  /// The open premise with the fewest candidates; the size of the body if none is open.
  std::size_t choose(Binding const& binding) const;

  FactBase const& facts_;
  CompiledRule const& rule_;
  std::size_t& budget_;
  std::vector<FactId> premises_;  ///< kNoFact: open
};

}  // namespace shamon::trust_detail
