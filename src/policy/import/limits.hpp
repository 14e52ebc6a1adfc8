// Named bounds of this folder: what an XML file may cost before it is refused.
#pragma once

#include <cstddef>

namespace shamon {

inline constexpr std::size_t kXmlBytesMax = 4u << 20;
inline constexpr std::size_t kXmlElementsMax = 100'000;
inline constexpr std::size_t kXmlDepthMax = 16;        ///< a policy needs 7
inline constexpr std::size_t kXmlTextBytesMax = 4096;  ///< of one element; names have far fewer
inline constexpr std::size_t kImportFilesMax = 2;      ///< a policy, and the labels of older ones

}  // namespace shamon
