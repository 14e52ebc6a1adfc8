#include "operator/lsp/answers.hpp"

#include <algorithm>

#include "operator/lsp/completion.hpp"
#include "operator/lsp/hover.hpp"
#include "policy/language/spelling.hpp"

namespace shamon::lsp {
namespace {

using nlohmann::json;

// The numbers of LSP 3.17.
constexpr int kErrorSeverity = 1;
constexpr int kInformationSeverity = 3;

int symbol_kind(NameKind kind) {
  switch (kind) {
    case NameKind::file: return 1;       // File
    case NameKind::label: return 5;      // Class
    case NameKind::wall: return 10;      // Enum
    case NameKind::category: return 22;  // EnumMember
    case NameKind::type: return 26;      // TypeParameter
  }
  return 13;
}

int completion_kind(ProposalKind kind) {
  switch (kind) {
    case ProposalKind::label: return 7;      // Class
    case ProposalKind::value: return 12;     // Value
    case ProposalKind::keyword: return 14;   // Keyword
    case ProposalKind::category: return 20;  // EnumMember
    case ProposalKind::type: return 25;      // TypeParameter
  }
  return 1;
}

json range_of(NameUse const& use) {
  return range(use.line, use.column, use.column + use.length);
}

std::optional<NameUse> name_at(Analysis const& analysis, Position const& at) {
  return name_at(analysis.names, at.path, at.line, at.column);
}

/// Calls `each` for every place of the name that stands at a position; a file is no such name.
template <class Function>
void for_same_name(Analysis const& analysis, Position const& at, Function each) {
  auto const wanted = name_at(analysis, at);
  if (!wanted || wanted->kind == NameKind::file) return;
  for (auto const& use : analysis.names) {
    if (use.kind == wanted->kind && use.name == wanted->name) each(use);
  }
}

std::string line_of(std::string_view text, std::uint32_t line) {
  for (std::uint32_t i = 1; i < line; ++i) {
    std::size_t const end = text.find('\n');
    if (end == std::string_view::npos) return "";
    text.remove_prefix(end + 1);
  }
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

json range(std::uint32_t line, std::uint32_t column, std::uint32_t end_column) {
  return {{"start", {{"line", line - 1}, {"character", column - 1}}},
          {"end", {{"line", line - 1}, {"character", std::max(column, end_column) - 1}}}};
}

json to_json(Diagnostic const& d) {
  bool const error = d.severity == Severity::error;
  return {{"range", range(d.line, d.column, d.end_column)},
          {"severity", error ? kErrorSeverity : kInformationSeverity},
          {"code", to_string(d.code)},
          {"source", "shamon"},
          {"message", d.message}};
}

json hover(Analysis const& analysis, Position const& at) {
  auto const use = name_at(analysis, at);
  if (!use) return nullptr;
  auto const* compiled = analysis.compiled ? &*analysis.compiled : nullptr;
  return {{"contents",
           {{"kind", "markdown"}, {"value", hover_text(*use, analysis.document, compiled)}}},
          {"range", range_of(*use)}};
}

json definition(Analysis const& analysis, Position const& at, UriOf const& uri_of) {
  auto const use = name_at(analysis, at);
  if (use && use->kind == NameKind::file) {
    return {{"uri", uri_of(use->name)}, {"range", range(1, 1, 1)}};
  }
  json out;
  for_same_name(analysis, at, [&](NameUse const& same) {
    if (same.defines) out = {{"uri", uri_of(same.file)}, {"range", range_of(same)}};
  });
  return out;
}

json references(Analysis const& analysis, Position const& at, UriOf const& uri_of) {
  json out = json::array();
  for_same_name(analysis, at, [&](NameUse const& same) {
    out.push_back({{"uri", uri_of(same.file)}, {"range", range_of(same)}});
  });
  return out;
}

json rename(Analysis const& analysis, Position const& at, std::string const& name,
            UriOf const& uri_of) {
  json changes = json::object();
  for_same_name(analysis, at, [&](NameUse const& same) {
    changes[uri_of(same.file)].push_back(
        {{"range", range_of(same)}, {"newText", spell_name(name)}});
  });
  if (changes.empty()) return nullptr;
  return {{"changes", changes}};
}

json symbols(Analysis const& analysis, std::string const& path) {
  std::vector<NameUse> uses;
  for (auto const& use : analysis.names) {
    bool const shown = use.defines || use.kind == NameKind::file;
    if (shown && use.file == path) uses.push_back(use);
  }
  std::sort(uses.begin(), uses.end(), [](auto const& a, auto const& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  json out = json::array();
  for (auto const& use : uses) {
    out.push_back({{"name", use.name},
                   {"kind", symbol_kind(use.kind)},
                   {"range", range_of(use)},
                   {"selectionRange", range_of(use)}});
  }
  return out;
}

json completion(Analysis const& analysis, std::string_view text, Position const& at) {
  std::string const line = line_of(text, at.line);
  json out = json::array();
  for (auto const& proposal :
       proposals(std::string_view(line).substr(0, at.column - 1), analysis.document)) {
    out.push_back({{"label", proposal.text}, {"kind", completion_kind(proposal.kind)}});
  }
  return out;
}

json quick_fixes(Analysis const& analysis, std::string const& path, std::uint32_t first_line,
                 std::uint32_t last_line, UriOf const& uri_of) {
  json out = json::array();
  for (auto const& d : analysis.diagnostics) {
    if (d.suggestion.empty() || d.file != path || d.line < first_line || d.line > last_line)
      continue;
    json edit = {{"range", range(d.line, d.column, d.end_column)}, {"newText", d.suggestion}};
    out.push_back({{"title", "Write '" + d.suggestion + "'"},
                   {"kind", "quickfix"},
                   {"diagnostics", json::array({to_json(d)})},
                   {"edit", {{"changes", {{uri_of(path), json::array({edit})}}}}}});
  }
  return out;
}

json formatting(std::string const& path, std::string const& text) {
  auto const formatted = format_policy(path, text);
  if (!formatted) return nullptr;
  if (*formatted == text) return json::array();
  auto const lines = std::count(text.begin(), text.end(), '\n') + 1;
  json whole = {{"start", {{"line", 0}, {"character", 0}}},
                {"end", {{"line", lines}, {"character", 0}}}};
  return json::array({{{"range", whole}, {"newText", *formatted}}});
}

}  // namespace shamon::lsp
