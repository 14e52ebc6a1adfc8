// One line of policy as one statement. Spelling only; whether names exist is checker.hpp's matter.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "policy/document.hpp"
#include "policy/language/token.hpp"

namespace shamon {

using Statement = std::variant<CoalitionStatement, IncludeStatement, TypeStatement,
                               CategoryStatement, LabelStatement, WallStatement, AllowStatement,
                               HostCondition, VmCondition, GoalStatement, MapStatement>;

struct ParsedLine {
  std::optional<Statement> statement;  ///< none: blank, comment only, or a diagnostic was added
  std::string_view comment;
};

ParsedLine parse_line(SourceLine const& line, Diagnostics& diagnostics);

/// The canonical text of a statement, without comment.
std::string render(Statement const& statement);

/// Calls `each(line text, line number)` for every line; a last line need not end in a newline.
template <class Function>
void for_each_line(std::string_view text, Function each) {
  std::uint32_t line = 0;
  while (!text.empty()) {
    std::size_t const end = text.find('\n');
    each(text.substr(0, end), ++line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

}  // namespace shamon
