// Policy files that include others: one walk over all their lines, in the order they mean.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "policy/language/parser.hpp"
#include "policy/source.hpp"

namespace shamon {

struct SourceVisitor {
  /// Every line. An included file's lines follow the line that includes it, if that is allowed.
  std::function<void(SourceLine const&, ParsedLine)> line;
  /// After the last line of an included file, named as from the top file's folder.
  std::function<void(std::string const& path)> leave = [](std::string const&) {};
};

/// Reads the top file and what it includes, once each, until the diagnostics are full. Adds a
/// diagnostic for what cannot be read and for every bound that is not kept. Returns the number of
/// the top file's last line, at least 1.
std::uint32_t walk_sources(std::string const& file_name, std::string_view text,
                           PolicyReader const& reader, Diagnostics& diagnostics,
                           SourceVisitor const& visitor);

/// `path` as written in a file of `folder` (empty, or ending in '/'), without "." and ".."; nothing
/// if it is absolute, leaves the top folder or names no file.
std::optional<std::string> resolve_include(std::string const& folder, std::string_view path);

}  // namespace shamon
