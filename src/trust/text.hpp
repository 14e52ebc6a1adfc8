// The words of rules files and proofs: one small lexer for both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trust/statement.hpp"

namespace shamon {

enum class TokenKind : std::uint8_t { end, word, quoted, punctuation };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  ///< unescaped
  std::uint64_t offset = 0;
  std::uint32_t line = 1;
};

/// Splits text into words [A-Za-z0-9_][A-Za-z0-9_-]*, quoted texts and single punctuation marks.
/// `#` begins a comment that ends with the line.
class Lexer {
 public:
  explicit Lexer(std::string_view text) noexcept : text_(text) {}

  /// Errors: `malformed` (unknown character, bad escape, unterminated text), `too_large` (a text
  /// over kTermBytesMax), with offset.
  Result<Token> next();
  /// The next token, which must be this word or mark.
  Status expect(std::string_view what);
  /// A word or a quoted text. Errors: `malformed`.
  Result<Token> expect_text(std::string_view what);
  Result<Token> peek() const;

 private:
  void skip_space() noexcept;
  Result<Token> quoted();

  std::string_view text_;
  std::size_t position_ = 0;
  std::uint32_t line_ = 1;
};

/// The text as a word if it is one, else quoted.
std::string quote_term(std::string_view text);

}  // namespace shamon
