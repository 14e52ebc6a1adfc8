// What the engine knows, interned and indexed. For trust/engine.cpp only. Everything stands in a
// few long arrays and names the rest by number, because an authority holds thirty facts a machine.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trust/limits.hpp"
#include "trust/number_index.hpp"
#include "trust/statement.hpp"

namespace shamon::trust_detail {

using Symbol = std::uint32_t;
using FactId = std::uint32_t;
inline constexpr Symbol kNoSymbol = kNoNumber;
inline constexpr FactId kNoFact = kNoNumber;
inline constexpr std::uint32_t kNoRule = kNoNumber;

/// Texts as numbers, both ways.
class Symbols {
 public:
  /// kNoSymbol if a bound is reached.
  Symbol intern(std::string_view text);
  Symbol find(std::string_view text) const;
  /// Good until the next text is interned.
  std::string_view text(Symbol symbol) const;

 private:
  std::string bytes_;  ///< the texts one after the other
  std::vector<std::uint32_t> ends_;
  NumberIndex numbers_;
};

/// Predicate and terms; the speaker is term 0.
struct AtomView {
  Symbol predicate = 0;
  std::span<Symbol const> terms;
};
struct Atom {
  Symbol predicate = 0;
  std::uint8_t count = 0;
  std::array<Symbol, kStatementTermsMax + 1> terms{};
  operator AtomView() const noexcept { return {predicate, {terms.data(), count}}; }
};

/// That a fact was given, by whom and for how long.
struct Assertion {
  Validity validity;
  std::string source;
  std::int64_t scheduled_until = 0;  ///< the end that stands in the calendar
};

/// That a fact's support has a premise; chained with all the others that have it.
struct Use {
  FactId premise = kNoFact, fact = kNoFact;
  std::uint32_t next = kNoNumber, before = kNoNumber;
};

struct Fact {
  Symbol predicate = 0;
  std::uint32_t terms = 0;               ///< where they begin
  std::uint32_t rule = kNoRule;          ///< it follows by; none: it is given
  std::uint32_t uses = 0;                ///< where the premises of its support begin
  std::uint32_t dependents = kNoNumber;  ///< the first use as a premise
  std::uint32_t assertion = kNoNumber;
  std::uint32_t height = 0;  ///< 0: given; else 1 + that of the highest premise
  std::uint8_t term_count = 0, use_count = 0;
  bool in_use = false;  ///< the slot holds a fact
  bool holds = false;
};

/// Where short arrays stand in a long one. Those that were given back are taken again.
template <std::size_t kLengthMax>
class Places {
 public:
  std::uint32_t take(std::size_t length) {
    auto& free = free_[length];
    if (free.empty()) return std::exchange(end_, end_ + static_cast<std::uint32_t>(length));
    std::uint32_t const at = free.back();
    free.pop_back();
    return at;
  }
  void give_back(std::uint32_t at, std::size_t length) { free_[length].push_back(at); }
  std::uint32_t end() const noexcept { return end_; }

 private:
  std::array<std::vector<std::uint32_t>, kLengthMax + 1> free_;
  std::uint32_t end_ = 0;
};

class FactBase {
 public:
  /// Facts of a predicate (position 0), or of a predicate with a term at a position.
  struct List {
    FactId first = kNoFact;
    std::uint32_t size = 0;
    std::uint32_t position = 0;
  };

  Symbols symbols;

  std::optional<FactId> find(AtomView atom) const;
  /// The fact's slot, made if need be. None if kFactsMax is reached.
  std::optional<FactId> find_or_add(AtomView atom);
  /// Frees the slot of a fact that neither holds nor is asserted.
  void release(FactId id);

  Fact& operator[](FactId id) { return facts_[id]; }
  Fact const& operator[](FactId id) const { return facts_[id]; }
  /// Good until the next fact is added.
  AtomView atom(FactId id) const {
    Fact const& fact = facts_[id];
    return {fact.predicate, {terms_.data() + fact.terms, fact.term_count}};
  }
  std::size_t size() const noexcept { return by_atom_.size(); }

  /// Null: it is not given.
  Assertion* assertion(FactId id);
  Assertion const* assertion(FactId id) const;
  Assertion& make_assertion(FactId id);
  void drop_assertion(FactId id);

  std::span<Use const> support(FactId id) const {
    return {uses_.data() + facts_[id].uses, facts_[id].use_count};
  }
  /// In place of the one there is.
  void set_support(FactId id, std::uint32_t rule, std::span<FactId const> premises);
  /// A fact whose support has this one; kNoFact: none.
  FactId dependent(FactId id) const {
    std::uint32_t const use = facts_[id].dependents;
    return use == kNoNumber ? kNoFact : uses_[use].fact;
  }

  List const* all_of(Symbol predicate) const { return list_of(predicate, 0, kNoSymbol); }
  /// `position` as in Atom::terms, not 0. Null: no such fact.
  List const* with_term(Symbol predicate, std::size_t position, Symbol term) const {
    return list_of(predicate, static_cast<std::uint32_t>(position), term);
  }
  FactId next(List const& list, FactId id) const {
    return links_[facts_[id].terms + list.position].next;
  }

 private:
  struct Link {
    FactId next = kNoFact, before = kNoFact;
  };

  std::uint32_t find_list(std::uint32_t hash, Symbol predicate, std::uint32_t position,
                          Symbol term) const;
  List const* list_of(Symbol predicate, std::uint32_t position, Symbol term) const;
  Symbol listed_term(Fact const& fact, std::uint32_t position) const {
    return position == 0 ? kNoSymbol : terms_[fact.terms + position];
  }
  void link(FactId id, std::uint32_t position);
  void unlink(FactId id, std::uint32_t position);

  std::vector<Fact> facts_;
  std::vector<FactId> free_facts_;
  NumberIndex by_atom_;
  Places<kStatementTermsMax + 1> term_places_;
  std::vector<Symbol> terms_;
  std::vector<Link> links_;  ///< of each term: the fact's neighbours in the list of that term
  std::vector<List> lists_;
  std::vector<std::uint32_t> free_lists_;
  NumberIndex by_term_;
  Places<kRuleBodyMax> use_places_;
  std::vector<Use> uses_;
  std::vector<Assertion> assertions_;
  std::vector<std::uint32_t> free_assertions_;
};

}  // namespace shamon::trust_detail
