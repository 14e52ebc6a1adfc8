// Types as simple type enforcement (STE) and the Chinese Wall see them: members of sets.
#pragma once

#include <bitset>

#include "label/limits.hpp"

namespace shamon {

/// A set of types, by their index in the policy.
using TypeSet = std::bitset<kTypesMax>;

/// STE: two labels share when they have a type in common. A label without types shares with
/// nobody, not even with itself.
bool have_common_type(TypeSet const& a, TypeSet const& b) noexcept;

/// Chinese Wall: true if running `a` beside `b` would bring two different types of the conflict
/// set `wall` onto one machine. A set that holds two of them by itself breaks it beside anything
/// that touches the wall, itself included.
bool breaks_wall(TypeSet const& wall, TypeSet const& a, TypeSet const& b) noexcept;

}  // namespace shamon
