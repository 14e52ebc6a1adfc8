// Named bounds of the language server: what an editor may make it hold.
#pragma once

#include <cstddef>

namespace shamon::lsp {

inline constexpr std::size_t kHeaderBytesMax = 4096;        ///< of one message
inline constexpr std::size_t kMessageBytesMax = 32u << 20;  ///< a largest policy, escaped
inline constexpr std::size_t kDocumentsMax = 256;           ///< open at once
inline constexpr std::size_t kSearchedFilesMax = 64;        ///< read to find who includes a file
inline constexpr std::size_t kListedLabelsMax = 40;         ///< in one hover

}  // namespace shamon::lsp
