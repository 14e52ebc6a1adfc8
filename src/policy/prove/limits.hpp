// Named bounds of this folder.
#pragma once

#include <cstddef>

namespace shamon {

/// One answer of a solver: fourteen short values, or an error it describes.
inline constexpr std::size_t kAnswerBytesMax = 16384;

}  // namespace shamon
