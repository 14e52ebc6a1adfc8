#include "base/utf8.hpp"

namespace shamon {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t i) noexcept {
  return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0;
}
bool is_continuation(std::uint8_t byte) noexcept {
  return (byte & 0xc0) == 0x80;
}

}  // namespace

std::size_t utf8_sequence_bytes(std::string_view text) noexcept {
  if (text.empty()) return 0;
  std::uint8_t const a = byte_at(text, 0);
  std::uint8_t const b = byte_at(text, 1);
  if (a < 0x80) return 1;
  if (a < 0xc2 || a > 0xf4 || !is_continuation(b)) return 0;
  if (a < 0xe0) return 2;
  if (!is_continuation(byte_at(text, 2))) return 0;
  if (a < 0xf0) {
    bool const overlong = a == 0xe0 && b < 0xa0;
    bool const surrogate = a == 0xed && b > 0x9f;
    return overlong || surrogate ? 0 : 3;
  }
  if (!is_continuation(byte_at(text, 3))) return 0;
  bool const overlong = a == 0xf0 && b < 0x90;
  bool const too_great = a == 0xf4 && b > 0x8f;
  return overlong || too_great ? 0 : 4;
}

bool is_valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    std::size_t const size = utf8_sequence_bytes(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t const size = utf8_sequence_bytes(text);
    if (size == 0) {
      append_utf8(out, 0xfffd);
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, size));
      text.remove_prefix(size);
    }
  }
  return out;
}

void append_utf8(std::string& out, std::uint32_t scalar) {
  auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (scalar < 0x80) {
    put(scalar);
  } else if (scalar < 0x800) {
    put(0xc0 | scalar >> 6);
    put(0x80 | (scalar & 0x3f));
  } else if (scalar < 0x10000) {
    put(0xe0 | scalar >> 12);
    put(0x80 | (scalar >> 6 & 0x3f));
    put(0x80 | (scalar & 0x3f));
  } else {
    put(0xf0 | scalar >> 18);
    put(0x80 | (scalar >> 12 & 0x3f));
    put(0x80 | (scalar >> 6 & 0x3f));
    put(0x80 | (scalar & 0x3f));
  }
}

}  // namespace shamon
