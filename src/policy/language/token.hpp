// One line of policy as words and signs.
#pragma once

#include <string_view>
#include <vector>

#include "policy/language/diagnostics.hpp"

namespace shamon {

struct Token {
  enum class Kind : std::uint8_t { word, sign, end };
  Kind kind = Kind::end;
  std::string_view text;     ///< empty at the end of the line
  std::uint32_t column = 1;  ///< from 1, in bytes
};

struct TokenLine {
  std::vector<Token> tokens;  ///< the last is always `end`
  std::string_view comment;   ///< from '#' on, without trailing blanks; empty: none
  bool ok = true;             ///< false: a diagnostic was added
};

/// Words are letters, digits and _ . - /; signs are { } , = -> <->; blanks separate; # comments.
TokenLine tokenize(std::string_view text, std::uint32_t line, Diagnostics& diagnostics);

}  // namespace shamon
