#include "coalition/json.hpp"

#include <limits>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "base/encoding.hpp"
#include "base/utf8.hpp"

namespace shamon {

void JsonEncoder::separate() {
  if (comma_) out_ += ',';
  comma_ = true;
}

void JsonEncoder::quote(std::string_view value) {
  out_ += '"';
  for (char const c : value) {
    switch (c) {
      case '"': out_ += "\\\""; break;
      case '\\': out_ += "\\\\"; break;
      case '\n': out_ += "\\n"; break;
      case '\r': out_ += "\\r"; break;
      case '\t': out_ += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out_ += c;
        }
    }
  }
  out_ += '"';
}

void JsonEncoder::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
}
void JsonEncoder::unsigned_integer(std::uint64_t value) {
  separate();
  out_ += std::to_string(value);
}
void JsonEncoder::integer(std::int64_t value) {
  separate();
  out_ += std::to_string(value);
}
void JsonEncoder::text(std::string_view value) {
  separate();
  if (is_valid_utf8(value)) {
    quote(value);
  } else {
    quote(to_valid_utf8(value));
  }
}
void JsonEncoder::bytes(ByteView value) {
  separate();
  out_ += '"';
  out_ += to_base64(value);
  out_ += '"';
}
void JsonEncoder::begin_array(std::size_t) {
  separate();
  out_ += '[';
  comma_ = false;
}
void JsonEncoder::end_array() {
  out_ += ']';
  comma_ = true;
}
void JsonEncoder::begin_map(std::size_t) {
  separate();
  out_ += '{';
  comma_ = false;
}
void JsonEncoder::key(std::string_view name) {
  separate();
  quote(name);
  out_ += ':';
  comma_ = false;
}
void JsonEncoder::end_map() {
  out_ += '}';
  comma_ = true;
}

char JsonDecoder::peek_char() const noexcept {
  ByteView const next = cursor_.peek(1);
  return next.empty() ? '\0' : static_cast<char>(next[0]);
}

char JsonDecoder::peek_value() noexcept {
  while (true) {
    char const c = peek_char();
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
    cursor_.take(1);
  }
}

bool JsonDecoder::take_char(char expected) noexcept {
  if (peek_value() != expected || cursor_.remaining() == 0) return false;
  cursor_.take(1);
  return true;
}

bool JsonDecoder::take_word(std::string_view word) noexcept {
  peek_value();
  if (as_text(cursor_.peek(word.size())) != word) return false;
  cursor_.take(word.size());
  return true;
}

Result<bool> JsonDecoder::boolean() {
  if (take_word("true")) return true;
  if (take_word("false")) return false;
  return refuse(Errc::malformed, "expected true or false");
}

bool JsonDecoder::take_null() {
  return take_word("null");
}

std::size_t JsonDecoder::digits(Number* into) noexcept {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::size_t count = 0;
  for (char c = peek_char(); c >= '0' && c <= '9'; c = peek_char(), ++count) {
    auto const digit = static_cast<std::uint64_t>(c - '0');
    cursor_.take(1);
    if (into == nullptr) continue;
    if (into->magnitude > (kMax - digit) / 10) {
      into->integral = false;  // beyond 64 bits: no integer of ours
    } else {
      into->magnitude = into->magnitude * 10 + digit;
    }
  }
  return count;
}

Result<JsonDecoder::Number> JsonDecoder::number() {
  Number out;
  out.negative = take_char('-');
  bool const zero = peek_char() == '0';
  std::size_t const whole = digits(&out);
  if (whole == 0) return refuse(Errc::malformed, "expected a number");
  if (zero && whole > 1) return refuse(Errc::malformed, "number with a leading zero");
  if (peek_char() == '.') {
    cursor_.take(1);
    out.integral = false;
    if (digits(nullptr) == 0) return refuse(Errc::malformed, "expected a digit");
  }
  if (peek_char() == 'e' || peek_char() == 'E') {
    cursor_.take(1);
    out.integral = false;
    if (peek_char() == '+' || peek_char() == '-') cursor_.take(1);
    if (digits(nullptr) == 0) return refuse(Errc::malformed, "expected a digit");
  }
  return out;
}

Result<std::uint64_t> JsonDecoder::unsigned_integer() {
  peek_value();
  std::uint64_t const at = offset();
  auto const read = number();
  if (!read) return pass(read);
  if (!read->integral || read->negative) {
    return refuse_at(Errc::malformed, at, "expected an unsigned integer of at most 64 bits");
  }
  return read->magnitude;
}

Result<std::int64_t> JsonDecoder::integer() {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  peek_value();
  std::uint64_t const at = offset();
  auto const read = number();
  if (!read) return pass(read);
  std::uint64_t const most = read->negative ? kMax + 1 : kMax;
  if (!read->integral || read->magnitude > most) {
    return refuse_at(Errc::malformed, at, "expected an integer of at most 64 bits");
  }
  std::uint64_t const bits = read->negative ? ~read->magnitude + 1 : read->magnitude;
  return static_cast<std::int64_t>(bits);
}

Result<std::uint32_t> JsonDecoder::hex4() {
  auto const read = from_hex(as_text(cursor_.peek(4)));
  if (!read || read->size() != 2) return refuse(Errc::malformed, "expected four hex digits");
  cursor_.take(4);
  return static_cast<std::uint32_t>((*read)[0]) << 8 | (*read)[1];
}

/// After the backslash. RFC 8259 §7.
Status JsonDecoder::escape(std::string& out) {
  char const c = peek_char();
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  if (std::size_t const at = kNames.find(c); at != std::string_view::npos && c != '\0') {
    cursor_.take(1);
    out += kValues[at];
    return {};
  }
  if (c != 'u') return refuse(Errc::malformed, "unknown escape");
  cursor_.take(1);
  auto const unit = hex4();
  if (!unit) return pass(unit);
  std::uint32_t scalar = *unit;
  if (scalar >= 0xd800 && scalar < 0xdc00) {
    if (as_text(cursor_.peek(2)) != "\\u") {
      return refuse(Errc::malformed, "half a surrogate pair");
    }
    cursor_.take(2);
    auto const low = hex4();
    if (!low) return pass(low);
    if (*low < 0xdc00 || *low > 0xdfff) return refuse(Errc::malformed, "half a surrogate pair");
    scalar = 0x10000 + ((scalar - 0xd800) << 10) + (*low - 0xdc00);
  } else if (scalar >= 0xdc00 && scalar <= 0xdfff) {
    return refuse(Errc::malformed, "half a surrogate pair");
  }
  append_utf8(out, scalar);
  return {};
}

Result<std::string> JsonDecoder::text() {
  if (!take_char('"')) return refuse(Errc::malformed, "expected a text");
  std::string out;
  while (cursor_.remaining() > 0) {
    char const c = peek_char();
    if (c == '"') {
      cursor_.take(1);
      return out;
    }
    if (c == '\\') {
      cursor_.take(1);
      if (auto done = escape(out); !done) return pass(done);
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      return refuse(Errc::malformed, "control character inside a text");
    }
    std::size_t const most = cursor_.remaining() < 4 ? cursor_.remaining() : 4;
    std::size_t const size = utf8_sequence_bytes(as_text(cursor_.peek(most)));
    if (size == 0) return refuse(Errc::malformed, "text is not UTF-8");
    out.append(as_text(cursor_.take(size)));
  }
  return refuse(Errc::truncated, "input ends inside a text");
}

Result<Bytes> JsonDecoder::bytes() {
  peek_value();
  std::uint64_t const at = offset();
  auto const encoded = text();
  if (!encoded) return pass(encoded);
  auto decoded = from_base64(*encoded);
  if (!decoded) return refuse_at(Errc::malformed, at, "not base64");
  return decoded;
}

Status JsonDecoder::open(char bracket, std::string_view name) {
  if (!take_char(bracket)) return refuse(Errc::malformed, fmt::format("expected {}", name));
  if (auto entered = enter(); !entered) return entered;
  first_.push_back(true);
  return {};
}

/// Whether an element follows: takes the comma before it or the closing bracket after all.
Result<bool> JsonDecoder::more(char bracket) {
  SHAMON_ASSERT(!first_.empty());
  if (take_char(bracket)) {
    first_.pop_back();
    leave();
    return false;
  }
  if (first_.back()) {
    first_.back() = false;
    return true;
  }
  if (!take_char(',')) return refuse(Errc::malformed, fmt::format("expected ',' or '{}'", bracket));
  return true;
}

Status JsonDecoder::begin_array() {
  return open('[', "an array");
}
Result<bool> JsonDecoder::next_element() {
  return more(']');
}
Status JsonDecoder::begin_map() {
  return open('{', "an object");
}

Result<std::optional<std::string>> JsonDecoder::next_key() {
  auto const another = more('}');
  if (!another) return pass(another);
  if (!*another) return std::nullopt;
  auto key = text();
  if (!key) return pass(key);
  if (!take_char(':')) return refuse(Errc::malformed, "expected ':'");
  return std::move(*key);
}

Status JsonDecoder::skip() {
  auto status = [](auto const& read) { return read ? Status{} : Status(pass(read)); };
  switch (peek_value()) {
    case '"': return status(text());
    case 't':
    case 'f': return status(boolean());
    case 'n': return take_null() ? Status{} : Status(refuse(Errc::malformed, "expected a value"));
    case '[': {
      if (auto begun = begin_array(); !begun) return begun;
      while (true) {
        auto const another = next_element();
        if (!another || !*another) return status(another);
        if (auto skipped = skip(); !skipped) return skipped;
      }
    }
    case '{': {
      if (auto begun = begin_map(); !begun) return begun;
      while (true) {
        auto const key = next_key();
        if (!key || !*key) return status(key);
        if (auto skipped = skip(); !skipped) return skipped;
      }
    }
    default: return status(number());
  }
}

Status JsonDecoder::finish() {
  peek_value();
  if (!cursor_.at_end()) return refuse(Errc::malformed, "text after the end");
  return {};
}

}  // namespace shamon
