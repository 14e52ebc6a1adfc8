// Bytes in the text forms people and protocols write them in: hexadecimal and base64.
#pragma once

#include "base/bytes.hpp"

namespace shamon {

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

}  // namespace shamon
