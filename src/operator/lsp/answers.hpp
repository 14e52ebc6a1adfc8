// What editors ask about a place in a document, as LSP 3.17 words it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "operator/lsp/workspace.hpp"

namespace shamon::lsp {

using UriOf = std::function<std::string(std::string const& path)>;

/// A place in a document: from 1, in bytes. Lines and columns of LSP count from 0 and in UTF-16;
/// they agree, because only comments and the ends of broken lines hold more than ASCII.
struct Position {
  std::string path;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

nlohmann::json range(std::uint32_t line, std::uint32_t column, std::uint32_t end_column);
nlohmann::json to_json(Diagnostic const& diagnostic);

nlohmann::json hover(Analysis const& analysis, Position const& at);
nlohmann::json definition(Analysis const& analysis, Position const& at, UriOf const& uri_of);
nlohmann::json references(Analysis const& analysis, Position const& at, UriOf const& uri_of);
/// A WorkspaceEdit; null if nothing there has a name that can change. `name` is a policy name.
nlohmann::json rename(Analysis const& analysis, Position const& at, std::string const& name,
                      UriOf const& uri_of);
nlohmann::json symbols(Analysis const& analysis, std::string const& path);
nlohmann::json completion(Analysis const& analysis, std::string_view text, Position const& at);
/// What the suggestions of diagnostics in these lines would change.
nlohmann::json quick_fixes(Analysis const& analysis, std::string const& path,
                           std::uint32_t first_line, std::uint32_t last_line, UriOf const& uri_of);
/// Text edits that make the text canonical; null if it cannot be read.
nlohmann::json formatting(std::string const& path, std::string const& text);

}  // namespace shamon::lsp
