#include "policy/language/token.hpp"

#include "policy/language/spelling.hpp"

namespace shamon {
namespace {

// Not <cctype>: what a policy means must not depend on a locale.
bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '/';
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/// The length of the sign that `text` starts with, or 0.
std::size_t sign_length(std::string_view text) {
  for (std::string_view sign : {"<->", "->", "{", "}", ",", "="}) {
    if (text.substr(0, sign.size()) == sign) return sign.size();
  }
  return 0;
}

std::size_t word_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_word_byte(text[length]) &&
         text.substr(length, 2) != "->") {  // a->b without blanks is three tokens
    ++length;
  }
  return length;
}

}  // namespace

TokenLine tokenize(SourceLine const& line, Diagnostics& diagnostics) {
  std::string_view const text = line.text;
  TokenLine out;
  std::size_t at = 0;
  auto column = [&] { return static_cast<std::uint32_t>(at + 1); };
  while (at < text.size()) {
    std::string_view const rest = text.substr(at);
    if (is_blank(rest[0])) {
      ++at;
    } else if (rest[0] == '#') {
      out.comment = rest;
      while (is_blank(out.comment.back())) out.comment.remove_suffix(1);
      break;
    } else if (std::size_t const sign = sign_length(rest)) {
      out.tokens.push_back({Token::Kind::sign, rest.substr(0, sign), column()});
      at += sign;
    } else if (std::size_t const word = word_length(rest)) {
      out.tokens.push_back({Token::Kind::word, rest.substr(0, word), column()});
      at += word;
    } else if (std::size_t const quotation = quoted_length(rest)) {
      out.tokens.push_back({Token::Kind::text, rest.substr(0, quotation), column()});
      at += quotation;
    } else if (rest[0] == '"') {
      diagnostics.add(line.place(column(), rest.size()), PolicyCode::bad_quotes,
                      "text in quotes ends on the same line and is printable ASCII; \\\" \\\\ and "
                      "\\xHH stand for the rest");
      out.ok = false;
      break;
    } else {
      diagnostics.add(line.place(column(), 1), PolicyCode::unexpected_character,
                      "unexpected character " + quoted(rest.substr(0, 1)));
      out.ok = false;
      break;
    }
  }
  out.tokens.push_back({Token::Kind::end, {}, column()});
  return out;
}

}  // namespace shamon
