// UTF-8 (RFC 3629) as messages and policies need it: is it, and make it so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shamon {

/// Bytes of the valid sequence at the start of `text`: 1…4, or 0 if there is none. Surrogates,
/// overlong forms and values above U+10FFFF are not valid.
std::size_t utf8_sequence_bytes(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;
/// Every byte that belongs to no valid sequence becomes U+FFFD.
std::string to_valid_utf8(std::string_view text);
/// `scalar` must be a Unicode scalar value.
void append_utf8(std::string& out, std::uint32_t scalar);

}  // namespace shamon
