// The engine's inside, shared by its evaluation (engine.cpp) and its answers (answers.cpp).
#pragma once

#include <deque>
#include <functional>
#include <queue>
#include <unordered_map>

#include "trust/engine.hpp"
#include "trust/join.hpp"

namespace shamon {

namespace trust_detail {

/// A rule instance that was found and not yet applied.
struct Match {
  std::uint32_t rule = 0;
  Atom head;
  std::vector<FactId> premises;
};

}  // namespace trust_detail

struct TrustEngine::State {
  using Symbol = trust_detail::Symbol;
  using FactId = trust_detail::FactId;
  using Atom = trust_detail::Atom;
  using Match = trust_detail::Match;
  RuleSet rules;
  trust_detail::FactBase facts;
  std::vector<trust_detail::CompiledRule> compiled;
  /// For each predicate, where it stands in bodies: (rule, premise); and which rules conclude it.
  std::unordered_map<Symbol, std::vector<std::pair<std::uint32_t, std::size_t>>> in_bodies;
  std::unordered_map<Symbol, std::vector<std::uint32_t>> in_heads;
  /// Calendar of assertions, the earliest first; may be outdated. None for who never ends.
  using Entry = std::pair<std::int64_t, FactId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> begins, ends;
  WallTime now{};

  std::optional<Atom> find_atom(Statement const& statement) const;
  std::optional<Atom> intern_atom(Statement const& statement);
  std::optional<FactId> find(Statement const& statement) const;
  /// The facts, given or derived, that look like this, whether they hold or not.
  std::vector<FactId> find_all(Pattern const& pattern) const;

  Status begin(FactId id);
  void end(std::vector<FactId> const& ids);
  bool propagate(std::deque<FactId>& changed, std::size_t budget);
  bool apply(Match const& match, std::deque<FactId>& changed);
  bool set_support(FactId id, std::uint32_t height, std::uint32_t rule,
                   std::span<FactId const> premises);
  std::vector<FactId> remove_dependents(std::vector<FactId> const& ids);
  bool restore(FactId id);
  void schedule(FactId id, bool first);
  std::optional<MissingPremise> missing_once(Atom const& wanted, Atom& lacking) const;
};

}  // namespace shamon
