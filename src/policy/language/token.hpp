// One line of policy as words and signs.
#pragma once

#include <string_view>
#include <vector>

#include "policy/language/diagnostics.hpp"

namespace shamon {

/// One line of one file.
struct SourceLine {
  std::string const& file;
  std::uint32_t number = 1;
  std::string_view text;

  Place place(std::uint32_t column, std::size_t length) const {
    return {file, number, column, length, std::string(text)};
  }
};

struct Token {
  enum class Kind : std::uint8_t { word, sign, text, end };
  Kind kind = Kind::end;
  std::string_view text;     ///< `text` with its quotes; empty at the end of the line
  std::uint32_t column = 1;  ///< from 1, in bytes
};

struct TokenLine {
  std::vector<Token> tokens;  ///< the last is always `end`
  std::string_view comment;   ///< from '#' on, without trailing blanks; empty: none
  bool ok = true;             ///< false: a diagnostic was added
};

/// Words are letters, digits and _ . - /; signs are { } , = -> <->; a text is what stands between
/// two ", printable ASCII with the escapes of spelling.hpp; blanks separate; # comments.
TokenLine tokenize(SourceLine const& line, Diagnostics& diagnostics);

}  // namespace shamon
