#include "trust/engine.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "trust/engine_state.hpp"

namespace shamon {
using namespace trust_detail;

std::optional<Atom> TrustEngine::State::find_atom(Statement const& statement) const {
  if (statement.terms.size() > kStatementTermsMax) return std::nullopt;
  Atom atom;
  atom.predicate = facts.symbols.find(statement.predicate);
  atom.count = static_cast<std::uint8_t>(statement.terms.size() + 1);
  atom.terms[0] = facts.symbols.find(statement.speaker);
  bool known = atom.predicate != kNoSymbol && atom.terms[0] != kNoSymbol;
  for (std::size_t i = 0; i < statement.terms.size(); ++i) {
    atom.terms[i + 1] = facts.symbols.find(statement.terms[i]);
    known = known && atom.terms[i + 1] != kNoSymbol;
  }
  if (!known) return std::nullopt;
  return atom;
}

std::optional<Atom> TrustEngine::State::intern_atom(Statement const& statement) {
  bool ok = facts.symbols.intern(statement.predicate) != kNoSymbol &&
            facts.symbols.intern(statement.speaker) != kNoSymbol;
  for (auto const& term : statement.terms) ok = facts.symbols.intern(term) != kNoSymbol && ok;
  if (!ok) return std::nullopt;
  return find_atom(statement);
}

std::optional<FactId> TrustEngine::State::find(Statement const& statement) const {
  auto const atom = find_atom(statement);
  return atom ? facts.find(*atom) : std::nullopt;
}

/// Records a better support. False if the one there is as good.
bool TrustEngine::State::set_support(FactId id, std::uint32_t height, std::uint32_t rule,
                                     std::span<FactId const> premises) {
  Fact& fact = facts[id];
  if (fact.holds && fact.height <= height) return false;
  fact.holds = true;
  fact.height = height;
  facts.set_support(id, rule, premises);
  return true;
}

/// False if a bound is reached.
bool TrustEngine::State::apply(Match const& match, std::deque<FactId>& changed) {
  std::uint32_t height = 0;
  for (FactId const premise : match.premises) height = std::max(height, facts[premise].height);
  auto const id = facts.find_or_add(match.head);
  if (!id) return false;
  if (set_support(*id, height + 1, match.rule, match.premises)) changed.push_back(*id);
  return true;
}

/// Derives all that follows from facts that are new or have a better support. A fact whose height
/// went down is propagated again, so that every height is the least there is when this ends.
bool TrustEngine::State::propagate(std::deque<FactId>& changed, std::size_t budget) {
  std::vector<Match> matches;
  while (!changed.empty()) {
    FactId const id = changed.front();
    changed.pop_front();
    auto const uses = in_bodies.find(facts[id].predicate);
    if (uses == in_bodies.end()) continue;
    matches.clear();
    for (auto const& [rule, premise] : uses->second) {
      Binding binding = unbound();
      if (!unify(compiled[rule].body[premise], facts.atom(id), binding)) continue;
      Join join(facts, compiled[rule], budget);
      join.fix(premise, id);
      bool const ok = join.run(binding, [&, r = rule](Binding const& b, auto const& premises) {
        matches.push_back({r, instantiate(compiled[r].head, b), premises});
      });
      if (!ok) return false;
    }
    for (auto const& match : matches) {
      if (!apply(match, changed)) return false;
    }
  }
  return true;
}

/// Everything whose recorded support stands on one of `ids` stops to hold; what is left stands on
/// supports that do not, so it still follows.
std::vector<FactId> TrustEngine::State::remove_dependents(std::vector<FactId> const& ids) {
  std::vector<FactId> removed;
  auto const remove = [&](FactId id) {
    if (!facts[id].holds) return;
    facts[id].holds = false;
    facts.set_support(id, kNoRule, {});
    removed.push_back(id);
  };
  for (FactId const id : ids) remove(id);
  for (std::size_t i = 0; i < removed.size(); ++i) {
    for (FactId above; (above = facts.dependent(removed[i])) != kNoFact;) remove(above);
  }
  return removed;
}

/// Gives a removed fact its best support among the facts that hold. False if it has none.
bool TrustEngine::State::restore(FactId id) {
  if (Assertion const* given = facts.assertion(id); given && given->validity.contains(now)) {
    return set_support(id, 0, kNoRule, {});
  }
  auto const rules_for = in_heads.find(facts[id].predicate);
  if (rules_for == in_heads.end()) return false;
  // The whole change was within bounds when it came, so its undoing is.
  std::size_t budget = std::numeric_limits<std::size_t>::max();
  std::uint32_t best_rule = kNoRule;
  std::uint32_t best_height = 0;
  std::vector<FactId> best_premises;
  for (std::uint32_t const rule : rules_for->second) {
    Binding binding = unbound();
    if (!unify(compiled[rule].head, facts.atom(id), binding)) continue;
    Join join(facts, compiled[rule], budget);
    join.run(binding, [&](Binding const&, std::vector<FactId> const& premises) {
      std::uint32_t height = 1;
      for (FactId const p : premises) height = std::max(height, facts[p].height + 1);
      if (best_rule != kNoRule && best_height <= height) return;
      best_rule = rule;
      best_height = height;
      best_premises = premises;
    });
  }
  return best_rule != kNoRule && set_support(id, best_height, best_rule, best_premises);
}

Status TrustEngine::State::begin(FactId id) {
  if (!set_support(id, 0, kNoRule, {})) return {};
  std::deque<FactId> changed{id};
  if (propagate(changed, kMatchesPerChangeMax)) return {};
  std::string const text(facts.symbols.text(facts[id].predicate));
  facts.drop_assertion(id);
  end({id});
  return fail(Errc::too_large, fmt::format("too much follows from this '{}'", text));
}

void TrustEngine::State::end(std::vector<FactId> const& ids) {
  std::vector<FactId> const removed = remove_dependents(ids);
  std::deque<FactId> changed;
  for (FactId const id : removed) {
    if (restore(id)) changed.push_back(id);
  }
  // Restoring adds nothing that did not hold before, so it cannot reach the bound of facts.
  SHAMON_ASSERT(propagate(changed, std::numeric_limits<std::size_t>::max()));
  for (FactId const id : removed) {
    if (!facts[id].holds && !facts.assertion(id)) facts.release(id);
  }
  for (FactId const id : ids) {
    if (facts[id].in_use && !facts[id].holds && !facts.assertion(id)) facts.release(id);
  }
}

void TrustEngine::State::schedule(FactId id, bool first) {
  Assertion& assertion = *facts.assertion(id);
  std::int64_t const until = assertion.validity.until.unix_ms;
  if (!first && until >= assertion.scheduled_until) return;
  assertion.scheduled_until = until;
  if (until != Validity{}.until.unix_ms) ends.emplace(until, id);
}

TrustEngine::TrustEngine(RuleSet const& rules) : state_(std::make_unique<State>()) {
  state_->rules = rules;
  state_->compiled = compile_rules(rules, state_->facts.symbols);
  for (std::uint32_t r = 0; r < state_->compiled.size(); ++r) {
    auto const& rule = state_->compiled[r];
    state_->in_heads[rule.head.predicate].push_back(r);
    for (std::size_t i = 0; i < rule.body.size(); ++i) {
      state_->in_bodies[rule.body[i].predicate].emplace_back(r, i);
    }
  }
}
TrustEngine::TrustEngine(TrustEngine&&) noexcept = default;
TrustEngine& TrustEngine::operator=(TrustEngine&&) noexcept = default;
TrustEngine::~TrustEngine() = default;

Status TrustEngine::insert(Statement const& fact, Validity validity, std::string source) {
  State& s = *state_;
  if (fact.terms.size() > kStatementTermsMax || fact.predicate.empty()) {
    return fail(Errc::invalid, "not the shape of a fact");
  }
  bool too_long = source.size() > kTermBytesMax || fact.speaker.size() > kTermBytesMax ||
                  fact.predicate.size() > kTermBytesMax;
  for (auto const& term : fact.terms) too_long = too_long || term.size() > kTermBytesMax;
  if (too_long) return fail(Errc::invalid, "a term or source of the fact is too long");
  if (source.empty()) return fail(Errc::invalid, "a fact needs a source");
  if (validity.empty() || validity.until <= s.now) {
    return fail(Errc::invalid, "the fact is never valid");
  }
  auto const atom = s.intern_atom(fact);
  auto const id = atom ? s.facts.find_or_add(*atom) : std::nullopt;
  if (!id) return fail(Errc::too_large, "too many facts");
  Assertion* assertion = s.facts.assertion(*id);
  bool const first = assertion == nullptr;
  bool const was_valid = !first && assertion->validity.contains(s.now);
  if (first) assertion = &s.facts.make_assertion(*id);
  assertion->validity = validity;
  assertion->source = std::move(source);
  s.schedule(*id, first);
  if (validity.contains(s.now)) return s.begin(*id);
  s.begins.emplace(validity.from.unix_ms, *id);
  if (was_valid) s.end({*id});
  return {};
}

bool TrustEngine::retract(Statement const& fact) {
  State& s = *state_;
  auto const id = s.find(fact);
  if (!id || !s.facts.assertion(*id)) return false;
  s.facts.drop_assertion(*id);
  s.end({*id});
  return true;
}

void TrustEngine::retract_all(Pattern const& pattern) {
  State& s = *state_;
  std::vector<FactId> ids = s.find_all(pattern);
  std::erase_if(ids, [&](FactId id) { return !s.facts.assertion(id); });
  for (FactId const id : ids) s.facts.drop_assertion(id);
  s.end(ids);
}

Status TrustEngine::advance(WallTime now) {
  State& s = *state_;
  if (now < s.now) return {};
  s.now = now;
  std::vector<FactId> over;
  while (!s.ends.empty() && s.ends.top().first <= now.unix_ms) {
    auto const [time, id] = s.ends.top();
    s.ends.pop();
    Assertion const* const assertion = s.facts.assertion(id);
    if (assertion == nullptr || assertion->scheduled_until != time) continue;
    if (assertion->validity.until > now) {  // renewed meanwhile
      s.schedule(id, true);
      continue;
    }
    s.facts.drop_assertion(id);
    over.push_back(id);
  }
  if (!over.empty()) s.end(over);
  Status status;
  while (!s.begins.empty() && s.begins.top().first <= now.unix_ms) {
    FactId const id = s.begins.top().second;
    s.begins.pop();
    Assertion const* const assertion = s.facts.assertion(id);
    if (assertion == nullptr || !assertion->validity.contains(now)) continue;
    if (auto ok = s.begin(id); !ok) status = ok;
  }
  return status;
}

bool TrustEngine::holds(Statement const& statement) const {
  auto const id = state_->find(statement);
  return id && state_->facts[*id].holds;
}

std::string const* TrustEngine::source_of(Statement const& fact) const {
  auto const id = state_->find(fact);
  Assertion const* const given = id ? state_->facts.assertion(*id) : nullptr;
  return given && given->validity.contains(state_->now) ? &given->source : nullptr;
}

std::size_t TrustEngine::fact_count() const noexcept {
  return state_->facts.size();
}
RuleSet const& TrustEngine::rules() const noexcept {
  return state_->rules;
}

}  // namespace shamon
