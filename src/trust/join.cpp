#include "trust/join.hpp"

#include <map>

namespace shamon::trust_detail {
namespace {

AtomPattern compile_atom(RuleAtom const& atom, Symbols& symbols,
                         std::map<std::string, Symbol>& variables) {
  AtomPattern out;
  out.predicate = symbols.intern(atom.predicate);
  auto const add = [&](RuleTerm const& term) {
    PatternTerm& to = out.terms[out.count++];
    to.variable = term.variable;
    to.value =
        term.variable
            ? variables.emplace(term.text, static_cast<Symbol>(variables.size())).first->second
            : symbols.intern(term.text);
  };
  add(atom.speaker);
  for (auto const& term : atom.terms) add(term);
  return out;
}

}  // namespace

std::vector<CompiledRule> compile_rules(RuleSet const& rules, Symbols& symbols) {
  std::vector<CompiledRule> out;
  for (auto const& rule : rules.rules) {
    CompiledRule compiled;
    std::map<std::string, Symbol> variables;
    for (auto const& atom : rule.body) {
      compiled.body.push_back(compile_atom(atom, symbols, variables));
    }
    compiled.head = compile_atom(rule.head, symbols, variables);
    out.push_back(std::move(compiled));
  }
  return out;
}

Binding unbound() noexcept {
  Binding binding;
  binding.fill(kNoSymbol);
  return binding;
}

bool unify(AtomPattern const& pattern, AtomView atom, Binding& binding) noexcept {
  if (pattern.predicate != atom.predicate || pattern.count != atom.terms.size()) return false;
  for (std::size_t i = 0; i < pattern.count; ++i) {
    PatternTerm const term = pattern.terms[i];
    if (!term.variable) {
      if (term.value != atom.terms[i]) return false;
    } else if (binding[term.value] == kNoSymbol) {
      binding[term.value] = atom.terms[i];
    } else if (binding[term.value] != atom.terms[i]) {
      return false;
    }
  }
  return true;
}

Atom instantiate(AtomPattern const& pattern, Binding const& binding) noexcept {
  Atom atom;
  atom.predicate = pattern.predicate;
  atom.count = pattern.count;
  for (std::size_t i = 0; i < pattern.count; ++i) {
    PatternTerm const term = pattern.terms[i];
    atom.terms[i] = term.variable ? binding[term.value] : term.value;
  }
  return atom;
}

FactBase::List const* narrowest(FactBase const& facts, AtomPattern const& pattern,
                                Binding const& binding) {
  FactBase::List const* best = facts.all_of(pattern.predicate);
  if (best == nullptr) return nullptr;
  for (std::size_t i = 1; i < pattern.count; ++i) {
    PatternTerm const term = pattern.terms[i];
    Symbol const value = term.variable ? binding[term.value] : term.value;
    if (value == kNoSymbol) continue;
    FactBase::List const* const list = facts.with_term(pattern.predicate, i, value);
    if (list == nullptr) return nullptr;
    if (list->size < best->size) best = list;
  }
  return best;
}

std::size_t Join::choose(Binding const& binding) const {
  std::size_t best = premises_.size();
  std::size_t best_size = 0;
  for (std::size_t i = 0; i < premises_.size(); ++i) {
    if (premises_[i] != kNoFact) continue;
    FactBase::List const* const list = narrowest(facts_, rule_.body[i], binding);
    std::size_t const size = list == nullptr ? 0 : list->size;
    if (best != premises_.size() && size >= best_size) continue;
    best = i;
    best_size = size;
    if (size == 0) break;
  }
  return best;
}

}  // namespace shamon::trust_detail
