// Named bounds of this folder.
#pragma once

#include <cstddef>

namespace shamon {

inline constexpr std::size_t kTypesMax = 512;  ///< types of one policy; one a label is common use
inline constexpr std::size_t kCategoriesMax = 64;  ///< secrecy or integrity categories

}  // namespace shamon
