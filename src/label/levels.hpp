// Secrecy (Bell-LaPadula) and integrity (Biba) levels: a rank and a set of categories.
#pragma once

#include <compare>
#include <cstdint>

namespace shamon {

/// A point of a lattice. Ranks are totally ordered, categories by inclusion.
struct Level {
  std::uint8_t rank = 0;
  std::uint64_t categories = 0;  ///< bit i: category i, see kCategoriesMax
  friend constexpr auto operator<=>(Level const&, Level const&) = default;
};

/// What a label says about levels. The default is the bottom of both lattices: open and low.
struct Levels {
  Level secrecy;
  Level integrity;
  friend constexpr auto operator<=>(Levels const&, Levels const&) = default;
};

/// True if `a` is at least `b` in rank and has all of its categories. A partial order.
bool dominates(Level a, Level b) noexcept;

/// What keeps information from flowing; `none`: nothing does.
enum class LevelBar : std::uint8_t { none, secrecy, integrity };

/// No read up and no write down in secrecy, no write up in integrity: information may flow if
/// the receiver's secrecy dominates the sender's, and the sender's integrity the receiver's.
/// Secrecy is told if both stand in the way.
LevelBar bar_between(Levels const& from, Levels const& to) noexcept;
bool may_flow(Levels const& from, Levels const& to) noexcept;

}  // namespace shamon
