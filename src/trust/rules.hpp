// Rules of the trust logic, as text and as data. No negation: absence of trust is no proof.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace shamon {

/// A constant, or a variable (begins in upper case; each `_` is a variable of its own).
struct RuleTerm {
  bool variable = false;
  std::string text;
  friend bool operator==(RuleTerm const&, RuleTerm const&) = default;
};

struct RuleAtom {
  RuleTerm speaker;
  std::string predicate;
  std::vector<RuleTerm> terms;
};

/// rule NAME "MEANING" HEAD if PREMISE, … .
struct Rule {
  std::string name;
  std::string meaning;  ///< one sentence for people
  RuleAtom head;
  std::vector<RuleAtom> body;
  std::uint32_t line = 0;
};

struct RuleSet {
  std::vector<Rule> rules;
  Rule const* find(std::string_view name) const noexcept;
};

/// Errors, with offset: `malformed`; `too_large` (a bound of limits.hpp); `invalid` for a rule
/// whose head has a variable its premises do not bind (it would say infinitely many things), a
/// predicate with two arities or two rules of one name.
Result<RuleSet> parse_rules(std::string_view text);

/// The rules file of this build, and what it parses to.
std::string_view builtin_rules_text() noexcept;
RuleSet const& builtin_rules();

}  // namespace shamon
