// Whole files: read within a bound, replaced atomically, appended to.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace shamon {

/// Reads a whole file. Errors: `system`; `too_large` if it holds more than `bytes_max`.
Result<Bytes> read_file(std::string const& path, std::size_t bytes_max = 64u << 20);
Result<std::string> read_text_file(std::string const& path, std::size_t bytes_max = 16u << 20);
/// Replaces a file atomically: temporary file, fsync, rename. `mode` as in open(2).
Status write_file_atomically(std::string const& path, ByteView content, unsigned mode = 0600);
Status append_to_file(std::string const& path, ByteView content, unsigned mode = 0600);

}  // namespace shamon
