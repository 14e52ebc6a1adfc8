// Reading daemon configuration: TOML with every error naming file, line and key. The one includer
// of toml++.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace shamon {

/// A table of a configuration file. Reads collect errors; call `finish()` once at the end, which
/// also refuses keys nobody asked for (a misspelt key must not be silently ignored).
class TomlTable {
 public:
  static Result<TomlTable> parse_file(std::string const& path);
  static Result<TomlTable> parse(std::string const& file_name, std::string const& text);

  /// Required: an error if absent. Optional: the fallback.
  std::string string(std::string const& key);
  std::string string_or(std::string const& key, std::string fallback);
  std::uint64_t integer(std::string const& key);
  std::uint64_t integer_or(std::string const& key, std::uint64_t fallback);
  bool boolean_or(std::string const& key, bool fallback);
  std::vector<std::string> strings_or(std::string const& key, std::vector<std::string> fallback);
  /// A sub-table; an empty one if absent.
  TomlTable table(std::string const& key);
  bool has(std::string const& key) const;
  /// [[key]] tables, in order; none if absent.
  std::vector<TomlTable> tables(std::string const& key);

  /// Notes an error about `key`'s value: "FILE:LINE:COLUMN: KEY: message".
  void complain(std::string const& key, std::string const& message);
  /// All errors of this file so far, joined by newlines, or success.
  Status finish();

  struct Node;
  explicit TomlTable(std::shared_ptr<Node> node) noexcept : node_(std::move(node)) {}

 private:
  std::shared_ptr<Node> node_;
};

}  // namespace shamon
