#include "trust/text.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/encoding.hpp"
#include "trust/limits.hpp"

namespace shamon {
namespace {

bool is_word_start(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_word(char c) noexcept {
  return is_word_start(c) || c == '-';
}

/// Words that begin in upper case or with '_' are variables in rules, so as data they are quoted.
bool is_plain(std::string_view text) noexcept {
  if (text.empty() || !is_word_start(text[0])) return false;
  if ((text[0] >= 'A' && text[0] <= 'Z') || text[0] == '_') return false;
  return std::all_of(text.begin(), text.end(), is_word);
}

}  // namespace

void Lexer::skip_space() noexcept {
  while (position_ < text_.size()) {
    char const c = text_[position_];
    if (c == '#') {
      while (position_ < text_.size() && text_[position_] != '\n') ++position_;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (c == '\n') ++line_;
      ++position_;
    } else {
      return;
    }
  }
}

Result<Token> Lexer::quoted() {
  Token token{TokenKind::quoted, {}, position_, line_};
  ++position_;
  while (position_ < text_.size()) {
    char const c = text_[position_++];
    if (c == '"') return token;
    if (c == '\n') break;
    if (token.text.size() >= kTermBytesMax) {
      return fail_at(Errc::too_large, token.offset, "quoted text is too long");
    }
    if (c != '\\') {
      token.text += c;
      continue;
    }
    char const escape = position_ < text_.size() ? text_[position_++] : '\0';
    if (escape == '"' || escape == '\\') {
      token.text += escape;
    } else if (escape == 'x' && text_.size() - position_ >= 2) {
      auto const byte = from_hex(text_.substr(position_, 2));
      if (!byte) return fail_at(Errc::malformed, position_, "\\x needs two hexadecimal digits");
      token.text += static_cast<char>(byte->front());
      position_ += 2;
    } else {
      return fail_at(Errc::malformed, position_, "unknown escape in quoted text");
    }
  }
  return fail_at(Errc::malformed, token.offset, "quoted text has no end on its line");
}

Result<Token> Lexer::next() {
  skip_space();
  Token token{TokenKind::end, {}, position_, line_};
  if (position_ == text_.size()) return token;
  char const c = text_[position_];
  if (c == '"') return quoted();
  if (is_word_start(c)) {
    std::size_t end = position_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    if (end - position_ > kTermBytesMax) {
      return fail_at(Errc::too_large, position_, "word is too long");
    }
    token.kind = TokenKind::word;
    token.text = std::string(text_.substr(position_, end - position_));
    position_ = end;
    return token;
  }
  if (std::string_view("(),.").find(c) == std::string_view::npos) {
    return fail_at(Errc::malformed, position_, "unexpected character");
  }
  token.kind = TokenKind::punctuation;
  token.text = c;
  ++position_;
  return token;
}

Result<Token> Lexer::peek() const {
  Lexer copy = *this;
  return copy.next();
}

Status Lexer::expect(std::string_view what) {
  auto token = next();
  if (!token) return pass(token);
  if (token->kind == TokenKind::quoted || token->text != what) {
    return fail_at(Errc::malformed, token->offset,
                   fmt::format("line {}: '{}' expected, '{}' found", token->line, what,
                               token->kind == TokenKind::end ? "the end" : token->text));
  }
  return {};
}

Result<Token> Lexer::expect_text(std::string_view what) {
  auto token = next();
  if (!token) return token;
  if (token->kind != TokenKind::word && token->kind != TokenKind::quoted) {
    return fail_at(Errc::malformed, token->offset,
                   fmt::format("line {}: {} expected", token->line, what));
  }
  return token;
}

std::string quote_term(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string out = "\"";
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string to_text(Statement const& statement) {
  std::string out = quote_term(statement.speaker) + " says " + statement.predicate + "(";
  for (std::size_t i = 0; i < statement.terms.size(); ++i) {
    if (i != 0) out += ", ";
    out += quote_term(statement.terms[i]);
  }
  return out + ")";
}

}  // namespace shamon
