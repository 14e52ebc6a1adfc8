// The policies an editor works on: open documents over files on disk, and what is known of each.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/lsp/names.hpp"
#include "policy/source.hpp"

namespace shamon::lsp {

/// One policy: its top file and what that includes, as last read.
struct Analysis {
  std::string top;
  PolicyDocument document;                 ///< what can be read, mistakes or not
  std::optional<CompiledPolicy> compiled;  ///< absent: there are mistakes
  std::vector<Diagnostic> diagnostics;
  std::vector<NameUse> names;
  std::set<std::string> files;  ///< absolute paths, the top among them
};

class Workspace {
 public:
  /// `disk` reads what is not open.
  explicit Workspace(PolicyReader disk) : disk_(std::move(disk)) {}

  /// Errors: `too_large` for a document more than kDocumentsMax.
  Status open(std::string const& path, std::string text);
  void close(std::string const& path);
  bool is_open(std::string const& path) const { return open_.count(path) > 0; }
  std::string const* text(std::string const& path) const;

  /// Reads again every policy that `path` is part of. A file that names no coalition belongs to the
  /// policy that includes it: an open one, or one in a *.policy file of its folder or of those
  /// above. Without any it is read alone, and names that other files would define are not missed.
  /// Policies without an open document are forgotten.
  void refresh(std::string const& path);
  /// What is wrong or doubtful, by file.
  std::map<std::string, std::vector<Diagnostic>> diagnostics() const;
  /// A policy the file is part of, or nothing.
  Analysis const* find(std::string const& path) const;

 private:
  Result<std::string> read(std::string const& path) const;
  std::string find_top(std::string const& path) const;
  Analysis analyse(std::string const& top) const;
  void forget_the_unneeded();

  PolicyReader disk_;
  std::map<std::string, std::string> open_;   ///< path -> text
  std::map<std::string, Analysis> analyses_;  ///< by top
};

}  // namespace shamon::lsp
