#include "policy/language/spelling.hpp"

#include "base/bytes.hpp"
#include "base/encoding.hpp"
#include "base/ids.hpp"
#include "base/utf8.hpp"
#include "label/label_name.hpp"

namespace shamon {
namespace {

constexpr std::string_view kReserved[] = {"share", "wall", "secrecy", "integrity",
                                          "guard", "none", "except",  "internet"};

bool is_printable(char c) {
  return c >= 0x20 && c <= 0x7e;
}
bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// The length of the escape at the start of `text`, or 0.
std::size_t escape_length(std::string_view text) {
  if (text.size() >= 2 && text[0] == '\\' && (text[1] == '"' || text[1] == '\\')) return 2;
  bool const byte =
      text.size() >= 4 && text.starts_with("\\x") && is_hex_digit(text[2]) && is_hex_digit(text[3]);
  return byte ? 4 : 0;
}

/// C1 controls, marks of direction and separators of lines, as they stand in UTF-8.
bool is_deceptive(std::string_view sequence) {
  if (sequence.size() == 2) return sequence >= "\xc2\x80" && sequence <= "\xc2\x9f";
  if (sequence.size() != 3) return false;
  bool const marks = sequence >= "\xe2\x80\x8b" && sequence <= "\xe2\x80\x8f";     // U+200B-200F
  bool const lines = sequence >= "\xe2\x80\xa8" && sequence <= "\xe2\x80\xae";     // U+2028-202E
  bool const isolates = sequence >= "\xe2\x81\xa0" && sequence <= "\xe2\x81\xaf";  // U+2060-206F
  return marks || lines || isolates || sequence == "\xef\xbb\xbf";                 // U+FEFF
}

}  // namespace

bool is_reserved_word(std::string_view text) noexcept {
  for (auto reserved : kReserved) {
    if (reserved == text) return true;
  }
  return false;
}

bool is_policy_name(std::string_view text) noexcept {
  if (!is_valid_label_name(text) || text.front() == ' ' || text.back() == ' ') return false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const bytes = utf8_sequence_bytes(text.substr(at));
    if (bytes == 0 || is_deceptive(text.substr(at, bytes))) return false;
    at += bytes;
  }
  return true;
}

std::string spell_name(std::string_view name) {
  bool const bare = is_valid_name(name) && !is_reserved_word(name);
  return bare ? std::string(name) : quote_text(name);
}

std::string quote_text(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (!is_printable(c)) {
      out += "\\x" + to_hex(as_bytes(text.substr(i, 1)));
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

std::size_t quoted_length(std::string_view text) noexcept {
  if (text.empty() || text[0] != '"') return 0;
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') {
    std::size_t const step = text[at] == '\\' ? escape_length(text.substr(at)) : 1;
    if (step == 0 || !is_printable(text[at])) return 0;
    at += step;
  }
  return at < text.size() ? at + 1 : 0;
}

std::string unquote_text(std::string_view quoted) {
  std::string out;
  for (std::size_t at = 1; at + 1 < quoted.size();) {
    std::size_t const escape = escape_length(quoted.substr(at));
    if (escape == 4) {
      if (auto const byte = from_hex(quoted.substr(at + 2, 2))) out += as_text(*byte);
    } else {
      out += quoted[escape == 2 ? at + 1 : at];
    }
    at += escape == 0 ? 1 : escape;
  }
  return out;
}

}  // namespace shamon
