// Named bounds of uniting policies.
#pragma once

#include <cstddef>

namespace shamon {

inline constexpr std::size_t kUnitedPoliciesMax = 1024;
inline constexpr std::size_t kConflictsMax = 50;  ///< more would not be read

}  // namespace shamon
