#include "base/encoding.hpp"

#include <algorithm>

namespace shamon {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

std::string encode_base64(ByteView bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::size_t const have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= have) {
        out.push_back(alphabet[group >> (18 - 6 * k) & 63]);
      } else if (padded) {
        out.push_back('=');
      }
    }
  }
  return out;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::uint8_t b : bytes) {
    out.push_back(kHexDigits[b >> 4]);
    out.push_back(kHexDigits[b & 15]);
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return fail_at(Errc::malformed, text.size(), "odd number of hexadecimal digits");
  }
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int const high = hex_value(text[i]);
    int const low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) {
      return fail_at(Errc::malformed, high < 0 ? i : i + 1, "not a hexadecimal digit");
    }
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

std::string to_base64(ByteView bytes) {
  return encode_base64(bytes, kBase64, true);
}
std::string to_base64url(ByteView bytes) {
  return encode_base64(bytes, kBase64Url, false);
}

Result<Bytes> from_base64(std::string_view text) {
  std::size_t size = text.size();
  while (size > 0 && text.size() - size < 2 && text[size - 1] == '=') --size;
  if (size % 4 == 1) return fail_at(Errc::malformed, size, "base64 text is cut short");
  Bytes out;
  out.reserve(size / 4 * 3 + 2);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < size; ++i) {
    int const value = base64_value(text[i]);
    if (value < 0) return fail_at(Errc::malformed, i, "not a base64 digit");
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (i % 4 != 0) out.push_back(static_cast<std::uint8_t>(group >> (6 - 2 * (i % 4)) & 255));
  }
  std::uint32_t const unused_bits = size % 4 == 2 ? group & 15 : size % 4 == 3 ? group & 3 : 0;
  if (unused_bits != 0) return fail_at(Errc::malformed, size - 1, "base64 has stray bits");
  return out;
}

}  // namespace shamon
