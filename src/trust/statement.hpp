// What the trust logic talks about: "A says p(x, …)", and when it is true.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace shamon {

/// `speaker` says `predicate(terms…)`. Terms are opaque texts: names, digests, numbers.
struct Statement {
  std::string speaker;
  std::string predicate;
  std::vector<std::string> terms;
  friend auto operator<=>(Statement const&, Statement const&) = default;
};

/// True from `from` on and before `until`.
struct Validity {
  WallTime from{0};
  WallTime until{std::numeric_limits<std::int64_t>::max()};
  bool contains(WallTime t) const noexcept { return from <= t && t < until; }
  bool empty() const noexcept { return until <= from; }
  friend auto operator<=>(Validity const&, Validity const&) = default;
};

/// What follows from several facts is true while all of them are.
inline Validity intersect(Validity const& a, Validity const& b) noexcept {
  return {std::max(a.from, b.from), std::min(a.until, b.until)};
}

/// "authority says member(shype1, boinc)"; texts that are not plain words are quoted.
std::string to_text(Statement const& statement);

}  // namespace shamon
