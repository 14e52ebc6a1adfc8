// Bytes as values and views.
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

/// Compares in time that depends on the sizes only.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

}  // namespace shamon
