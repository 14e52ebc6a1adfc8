#include "trust/fact_base.hpp"

namespace shamon::trust_detail {
namespace {

std::size_t mix(std::size_t seed, std::uint64_t value) noexcept {
  std::uint64_t x = seed ^ (value + 0x9e3779b97f4a7c15u + (seed << 6) + (seed >> 2));
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
  return x ^ (x >> 29);
}

}  // namespace

std::size_t AtomHash::operator()(Atom const& atom) const noexcept {
  std::size_t seed = mix(atom.count, atom.predicate);
  for (std::size_t i = 0; i < atom.count; ++i) seed = mix(seed, atom.terms[i]);
  return seed;
}

std::size_t FactBase::KeyHash::operator()(Key const& key) const noexcept {
  return mix(mix(key.position, key.predicate), key.term);
}

Symbol Symbols::intern(std::string const& text) {
  if (auto const known = numbers_.find(text); known != numbers_.end()) return known->second;
  if (texts_.size() == kSymbolsMax) return kNoSymbol;
  auto const symbol = static_cast<Symbol>(texts_.size());
  auto const [entry, added] = numbers_.emplace(text, symbol);
  texts_.push_back(&entry->first);
  return symbol;
}

Symbol Symbols::find(std::string const& text) const {
  auto const known = numbers_.find(text);
  return known == numbers_.end() ? kNoSymbol : known->second;
}

std::optional<FactId> FactBase::find(Atom const& atom) const {
  auto const known = by_atom_.find(atom);
  if (known == by_atom_.end()) return std::nullopt;
  return known->second;
}

std::optional<FactId> FactBase::find_or_add(Atom const& atom) {
  if (auto const known = find(atom)) return known;
  if (by_atom_.size() == kFactsMax) return std::nullopt;
  FactId id = static_cast<FactId>(facts_.size());
  if (free_.empty()) {
    facts_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Fact& fact = facts_[id];
  fact.atom = atom;
  fact.in_use = true;
  by_atom_.emplace(atom, id);
  push(by_predicate_[atom.predicate], ref(id));
  for (Symbol position = 1; position < atom.count; ++position) {
    push(by_term_[Key{atom.predicate, position, atom.terms[position]}], ref(id));
  }
  return id;
}

void FactBase::release(FactId id) {
  Fact& fact = facts_[id];
  by_atom_.erase(fact.atom);
  std::uint32_t const generation = fact.generation + 1;
  fact = Fact{};
  fact.generation = generation;
  free_.push_back(id);
}

// Entries of freed facts are swept when a list has doubled: constant cost a change on average.
void FactBase::push(Postings& postings, FactRef ref) {
  if (postings.facts.size() >= postings.compact_at) {
    std::erase_if(postings.facts, [&](FactRef other) { return !alive(other); });
    postings.compact_at = 2 * postings.facts.size() + 16;
  }
  postings.facts.push_back(ref);
}

Postings const* FactBase::all_of(Symbol predicate) const {
  auto const known = by_predicate_.find(predicate);
  return known == by_predicate_.end() ? nullptr : &known->second;
}

Postings const* FactBase::with_term(Symbol predicate, std::size_t position, Symbol term) const {
  auto const known = by_term_.find(Key{predicate, static_cast<Symbol>(position), term});
  return known == by_term_.end() ? nullptr : &known->second;
}

}  // namespace shamon::trust_detail
