// Named bounds of this folder.
#pragma once

#include <cstddef>

namespace shamon {

inline constexpr std::size_t kCachedDecisions = 1024;  ///< 32 KiB: half of a first-level cache
inline constexpr std::size_t kRunningVmsMax = 4096;    ///< VMs one monitor keeps account of

}  // namespace shamon
