#include "trust/fact_base.hpp"

#include <functional>

namespace shamon::trust_detail {
namespace {

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) noexcept {
  std::uint64_t x = seed ^ (value + 0x9e3779b97f4a7c15u + (seed << 6) + (seed >> 2));
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
  return x ^ (x >> 29);
}

std::uint32_t fold(std::uint64_t hash) noexcept {
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

std::uint32_t hash_of(AtomView atom) noexcept {
  std::uint64_t hash = mix(atom.terms.size(), atom.predicate);
  for (Symbol const term : atom.terms) hash = mix(hash, term);
  return fold(hash);
}

std::uint32_t hash_of(Symbol predicate, std::uint32_t position, Symbol term) noexcept {
  return fold(mix(mix(position, predicate), term));
}

std::uint32_t hash_of(std::string_view text) noexcept {
  return fold(std::hash<std::string_view>{}(text));
}

/// A free place of `items`: one that was given back, or a new one at the end.
template <class Item>
std::uint32_t take_place(std::vector<Item>& items, std::vector<std::uint32_t>& free) {
  if (free.empty()) {
    items.emplace_back();
    return static_cast<std::uint32_t>(items.size() - 1);
  }
  std::uint32_t const at = free.back();
  free.pop_back();
  return at;
}

static_assert(kSymbolsMax * kTermBytesMax <= 0xffffffff, "Symbols counts bytes in 32 bits");

}  // namespace

Symbol Symbols::intern(std::string_view text) {
  if (Symbol const known = find(text); known != kNoSymbol) return known;
  if (ends_.size() == kSymbolsMax || text.size() > kTermBytesMax) return kNoSymbol;
  bytes_ += text;
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  auto const symbol = static_cast<Symbol>(ends_.size() - 1);
  numbers_.add(hash_of(text), symbol);
  return symbol;
}

Symbol Symbols::find(std::string_view wanted) const {
  return numbers_.find(hash_of(wanted), [&](Symbol symbol) { return text(symbol) == wanted; });
}

std::string_view Symbols::text(Symbol symbol) const {
  std::uint32_t const begin = symbol == 0 ? 0 : ends_[symbol - 1];
  return std::string_view(bytes_).substr(begin, ends_[symbol] - begin);
}

std::optional<FactId> FactBase::find(AtomView wanted) const {
  FactId const id = by_atom_.find(hash_of(wanted), [&](FactId other) {
    AtomView const known = atom(other);
    return known.predicate == wanted.predicate &&
           std::equal(known.terms.begin(), known.terms.end(), wanted.terms.begin(),
                      wanted.terms.end());
  });
  if (id == kNoFact) return std::nullopt;
  return id;
}

std::optional<FactId> FactBase::find_or_add(AtomView atom) {
  if (auto const known = find(atom)) return known;
  if (size() == kFactsMax) return std::nullopt;
  FactId const id = take_place(facts_, free_facts_);
  Fact& fact = facts_[id] = Fact{};
  fact.predicate = atom.predicate;
  fact.term_count = static_cast<std::uint8_t>(atom.terms.size());
  fact.terms = term_places_.take(fact.term_count);
  fact.in_use = true;
  terms_.resize(term_places_.end());
  links_.resize(term_places_.end());
  std::copy(atom.terms.begin(), atom.terms.end(), terms_.begin() + fact.terms);
  by_atom_.add(hash_of(atom), id);
  for (std::uint32_t position = 0; position < fact.term_count; ++position) link(id, position);
  return id;
}

void FactBase::release(FactId id) {
  Fact& fact = facts_[id];
  for (std::uint32_t position = 0; position < fact.term_count; ++position) unlink(id, position);
  by_atom_.remove(hash_of(atom(id)), id);
  term_places_.give_back(fact.terms, fact.term_count);
  fact = Fact{};
  free_facts_.push_back(id);
}

Assertion* FactBase::assertion(FactId id) {
  std::uint32_t const at = facts_[id].assertion;
  return at == kNoNumber ? nullptr : &assertions_[at];
}

Assertion const* FactBase::assertion(FactId id) const {
  std::uint32_t const at = facts_[id].assertion;
  return at == kNoNumber ? nullptr : &assertions_[at];
}

Assertion& FactBase::make_assertion(FactId id) {
  facts_[id].assertion = take_place(assertions_, free_assertions_);
  return assertions_[facts_[id].assertion];
}

void FactBase::drop_assertion(FactId id) {
  std::uint32_t const at = std::exchange(facts_[id].assertion, kNoNumber);
  if (at == kNoNumber) return;
  assertions_[at] = Assertion{};
  free_assertions_.push_back(at);
}

void FactBase::set_support(FactId id, std::uint32_t rule, std::span<FactId const> premises) {
  Fact& fact = facts_[id];
  for (std::uint32_t at = fact.uses; at < fact.uses + fact.use_count; ++at) {
    Use const& use = uses_[at];
    std::uint32_t& before =
        use.before == kNoNumber ? facts_[use.premise].dependents : uses_[use.before].next;
    before = use.next;
    if (use.next != kNoNumber) uses_[use.next].before = use.before;
  }
  if (fact.use_count > 0) use_places_.give_back(fact.uses, fact.use_count);
  fact.rule = rule;
  fact.use_count = static_cast<std::uint8_t>(premises.size());
  if (premises.empty()) return;
  fact.uses = use_places_.take(premises.size());
  uses_.resize(use_places_.end());
  for (std::uint32_t i = 0; i < premises.size(); ++i) {
    std::uint32_t const at = fact.uses + i;
    std::uint32_t const next = std::exchange(facts_[premises[i]].dependents, at);
    if (next != kNoNumber) uses_[next].before = at;
    uses_[at] = Use{premises[i], id, next, kNoNumber};
  }
}

std::uint32_t FactBase::find_list(std::uint32_t hash, Symbol predicate, std::uint32_t position,
                                  Symbol term) const {
  return by_term_.find(hash, [&](std::uint32_t number) {
    Fact const& listed = facts_[lists_[number].first];
    return lists_[number].position == position && listed.predicate == predicate &&
           listed_term(listed, position) == term;
  });
}

FactBase::List const* FactBase::list_of(Symbol predicate, std::uint32_t position,
                                        Symbol term) const {
  std::uint32_t const number =
      find_list(hash_of(predicate, position, term), predicate, position, term);
  return number == kNoNumber ? nullptr : &lists_[number];
}

void FactBase::link(FactId id, std::uint32_t position) {
  Fact const& fact = facts_[id];
  Symbol const term = listed_term(fact, position);
  std::uint32_t const hash = hash_of(fact.predicate, position, term);
  std::uint32_t number = find_list(hash, fact.predicate, position, term);
  if (number == kNoNumber) {
    number = take_place(lists_, free_lists_);
    lists_[number] = List{kNoFact, 0, position};
    by_term_.add(hash, number);
  }
  List& list = lists_[number];
  FactId const next = std::exchange(list.first, id);
  ++list.size;
  if (next != kNoFact) links_[facts_[next].terms + position].before = id;
  links_[fact.terms + position] = Link{next, kNoFact};
}

void FactBase::unlink(FactId id, std::uint32_t position) {
  Fact const& fact = facts_[id];
  Symbol const term = listed_term(fact, position);
  std::uint32_t const hash = hash_of(fact.predicate, position, term);
  std::uint32_t const number = find_list(hash, fact.predicate, position, term);
  List& list = lists_[number];
  if (--list.size == 0) {
    by_term_.remove(hash, number);
    free_lists_.push_back(number);
    return;
  }
  Link const mine = links_[fact.terms + position];
  FactId& before =
      mine.before == kNoFact ? list.first : links_[facts_[mine.before].terms + position].next;
  before = mine.next;
  if (mine.next != kNoFact) links_[facts_[mine.next].terms + position].before = mine.before;
}

}  // namespace shamon::trust_detail
