// How `shamon` prints: tables for people, one JSON envelope for programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace shamon {

/// Rows of equal length under a head, columns padded; no colour, so it reads the same everywhere.
std::string format_table(std::vector<std::string> const& head,
                         std::vector<std::vector<std::string>> const& rows);

/// {"schema":"shamon.host.list/1","data":DATA}; `data` is JSON text.
std::string json_envelope(std::string_view schema, std::string_view data);

/// Prints "shamon: what" on standard error and returns the exit code that fits.
int report(Error const& error);

/// Bold, green, red, dim where standard output is a terminal and NO_COLOR is not set; never alone.
std::string bold(std::string_view text);
std::string good(std::string_view text);
std::string bad(std::string_view text);
std::string dim(std::string_view text);

}  // namespace shamon
