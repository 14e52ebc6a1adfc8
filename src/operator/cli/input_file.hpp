// Files named on the command line: evidence of others, read whole and bounded.
#pragma once

#include <string>

#include "base/bytes.hpp"

namespace shamon {

/// Errors: `not_found` if there is no such file; otherwise as read_file.
Result<Bytes> read_input_file(std::string const& path, std::size_t bytes_max);

}  // namespace shamon
