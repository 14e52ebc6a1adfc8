// What the engine knows, interned and indexed. For trust/engine.cpp only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "trust/limits.hpp"
#include "trust/statement.hpp"

namespace shamon::trust_detail {

using Symbol = std::uint32_t;
using FactId = std::uint32_t;
inline constexpr Symbol kNoSymbol = 0xffffffff;
inline constexpr std::uint32_t kNoRule = 0xffffffff;

/// Texts as numbers, both ways.
class Symbols {
 public:
  /// kNoSymbol if the bound is reached.
  Symbol intern(std::string const& text);
  Symbol find(std::string const& text) const;
  std::string const& text(Symbol symbol) const { return *texts_[symbol]; }

 private:
  std::unordered_map<std::string, Symbol> numbers_;
  std::vector<std::string const*> texts_;
};

/// Predicate and terms; the speaker is term 0.
struct Atom {
  Symbol predicate = 0;
  std::uint8_t count = 0;
  std::array<Symbol, kStatementTermsMax + 1> terms{};
  friend bool operator==(Atom const& a, Atom const& b) noexcept {
    return a.predicate == b.predicate && a.count == b.count &&
           std::equal(a.terms.begin(), a.terms.begin() + a.count, b.terms.begin());
  }
};
struct AtomHash {
  std::size_t operator()(Atom const& atom) const noexcept;
};

/// A slot that a freed fact left has another generation when it is used again.
struct FactRef {
  FactId id = 0;
  std::uint32_t generation = 0;
};

/// How a derived fact follows.
struct Support {
  std::uint32_t rule = kNoRule;
  std::vector<FactId> premises;
};

/// That the fact was given, by whom and for how long.
struct Assertion {
  Validity validity;
  std::string source;
  std::int64_t scheduled_until = 0;  ///< the end that stands in the calendar
};

struct Fact {
  Atom atom;
  std::uint32_t generation = 0;
  std::uint32_t height = 0;  ///< 0: given; else 1 + that of the highest premise
  bool in_use = false;       ///< the slot holds a fact
  bool holds = false;
  std::optional<Assertion> assertion;
  Support support;
  std::vector<FactRef> dependents;  ///< facts whose support has, or once had, this one
  std::size_t dependents_compact_at = 16;
};

/// Facts by predicate, and by predicate and term.
struct Postings {
  std::vector<FactRef> facts;
  std::size_t compact_at = 16;
};

class FactBase {
 public:
  Symbols symbols;

  std::optional<FactId> find(Atom const& atom) const;
  /// The fact's slot, made if need be. None if kFactsMax is reached.
  std::optional<FactId> find_or_add(Atom const& atom);
  /// Frees a slot that neither holds nor is asserted.
  void release(FactId id);

  Fact& operator[](FactId id) { return facts_[id]; }
  Fact const& operator[](FactId id) const { return facts_[id]; }
  bool alive(FactRef ref) const {
    return facts_[ref.id].in_use && facts_[ref.id].generation == ref.generation;
  }
  FactRef ref(FactId id) const { return {id, facts_[id].generation}; }
  std::size_t size() const noexcept { return by_atom_.size(); }

  Postings const* all_of(Symbol predicate) const;
  /// `position` as in Atom::terms. Null: no such fact.
  Postings const* with_term(Symbol predicate, std::size_t position, Symbol term) const;

 private:
  void push(Postings& postings, FactRef ref);

  std::vector<Fact> facts_;
  std::vector<FactId> free_;
  std::unordered_map<Atom, FactId, AtomHash> by_atom_;
  std::unordered_map<Symbol, Postings> by_predicate_;
  struct Key {
    Symbol predicate, position, term;
    friend bool operator==(Key const&, Key const&) = default;
  };
  struct KeyHash {
    std::size_t operator()(Key const& key) const noexcept;
  };
  std::unordered_map<Key, Postings, KeyHash> by_term_;
};

}  // namespace shamon::trust_detail
