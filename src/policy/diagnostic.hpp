// One thing wrong or doubtful in a policy text: where, what, how bad, and what would be right.
#pragma once

#include <cstdint>
#include <string>

namespace shamon {

enum class Severity : std::uint8_t {
  error,  ///< the text is refused
  note,   ///< right, but perhaps not what was meant
};
char const* to_string(Severity severity) noexcept;

/// What kind of mistake. Numbers are stable: scripts and documents name them as P020. Explained in
/// docs/policy-language.md.
enum class PolicyCode : std::uint16_t {
  // How a line is written.
  unexpected_character = 1,
  line_too_long = 2,
  unknown_statement = 3,
  expected = 4,
  twice_in_line = 5,
  unknown_attribute = 6,
  unknown_condition = 7,
  bad_service = 8,
  one_way_tcp = 9,
  small_wall = 10,
  bad_quotes = 11,
  // What names mean.
  not_defined = 20,
  already_defined = 21,
  reserved_word = 22,
  unknown_level = 23,
  never_starts = 24,
  not_a_guard = 25,
  mapped_twice = 26,
  reaches_itself = 27,
  coalition_missing = 28,
  coalition_twice = 29,
  // Files of files.
  includes_refused = 40,
  include_path = 41,
  include_unreadable = 42,
  include_cycle = 43,
  included_twice = 44,
  include_depth = 45,
  included_coalition = 46,
  // Bounds of limits.hpp.
  too_many = 60,
  too_many_bytes = 61,
  not_compiled = 62,
  // Notes.
  allow_limits_nothing = 100,
  never_starts_as_stated = 101,
  levels_forbid = 102,
  allow_repeats = 103,
  unused_type = 104,
  unused_category = 105,
  unused_wall_type = 106,
  wall_never_fires = 107,
  label_alone = 108,
  label_without_image = 109,
  no_member_host = 110,
  guard_is_an_end = 111,
};
/// "P020".
std::string to_string(PolicyCode code);

/// "boinc.policy:14:7: label 'gren' is not defined; did you mean 'green'?"
struct Diagnostic {
  std::string file;
  std::uint32_t line = 0;        ///< from 1
  std::uint32_t column = 0;      ///< from 1, in bytes
  std::uint32_t end_column = 0;  ///< after the last byte of what is meant; at least `column`
  Severity severity = Severity::error;
  PolicyCode code = PolicyCode::expected;
  std::string message;     ///< one line, with the suggestion in words
  std::string suggestion;  ///< what to write in place of column to end_column; empty: none
  std::string source;      ///< the line it stands in, as far as known; empty: not shown
  /// file:line:column: message
  std::string describe() const;
  /// file:line:column: severity: message [code], then the line with a caret under what is meant.
  /// Each line ends in a newline; a long line is cut around the place.
  std::string show() const;
};

}  // namespace shamon
