// Bytes as values and views, and the two text forms people read them in.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace shamon {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// The bytes of a text, without a terminating zero.
ByteView as_bytes(std::string_view text) noexcept;
/// A text view of bytes. The bytes need not be printable.
std::string_view as_text(ByteView bytes) noexcept;
Bytes to_bytes(ByteView view);
Bytes to_bytes(std::string_view text);
void append(Bytes& out, ByteView more);

/// Lower-case hexadecimal, two digits a byte.
std::string to_hex(ByteView bytes);
/// Accepts both cases, no separators. Errors: `malformed` with the offset of the first bad digit.
Result<Bytes> from_hex(std::string_view text);

/// RFC 4648 §4 base64 with padding.
std::string to_base64(ByteView bytes);
/// RFC 4648 §5 base64url without padding (JWS, COSE in text).
std::string to_base64url(ByteView bytes);
/// Accepts either alphabet, padding optional. Errors: `malformed` with offset.
Result<Bytes> from_base64(std::string_view text);

/// Compares in time that depends on the sizes only.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

}  // namespace shamon
