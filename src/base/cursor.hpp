// The one way outside bytes are read; byte_writer.hpp is its counterpart.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace shamon {

/// A bounds-checked reader over bytes it does not own. A read past the end makes the cursor fail,
/// yields zero or an empty view, and stays failed; check `ok()` once after a group of reads.
class Cursor {
 public:
  explicit Cursor(ByteView bytes, std::uint64_t base_offset = 0) noexcept
      : bytes_(bytes), base_(base_offset) {}

  std::uint8_t u8() noexcept { return big_endian<std::uint8_t>(); }
  std::uint16_t u16le() noexcept { return little_endian<std::uint16_t>(); }
  std::uint32_t u32le() noexcept { return little_endian<std::uint32_t>(); }
  std::uint64_t u64le() noexcept { return little_endian<std::uint64_t>(); }
  std::uint16_t u16be() noexcept { return big_endian<std::uint16_t>(); }
  std::uint32_t u32be() noexcept { return big_endian<std::uint32_t>(); }
  std::uint64_t u64be() noexcept { return big_endian<std::uint64_t>(); }
  /// The next `size` bytes, or an empty view and failure.
  ByteView take(std::size_t size) noexcept {
    if (!ok_ || size > remaining()) {
      ok_ = false;
      return {};
    }
    position_ += size;
    return bytes_.subspan(position_ - size, size);
  }
  ByteView rest() noexcept { return take(remaining()); }
  /// The next `size` bytes without moving.
  ByteView peek(std::size_t size) const noexcept;

  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return position_ == bytes_.size(); }
  std::size_t remaining() const noexcept { return bytes_.size() - position_; }
  /// Absolute offset of the next byte: base plus position.
  std::uint64_t offset() const noexcept { return base_ + position_; }
  /// Marks the cursor failed, for a caller that found the value itself wrong.
  void fail() noexcept { ok_ = false; }
  /// `truncated` at the current offset, with what was being read.
  Error truncated(std::string_view what) const;

 private:
  template <class T>
  T big_endian() noexcept {
    T value = 0;
    for (std::uint8_t b : take(sizeof(T))) value = static_cast<T>(value << 8 | b);
    return value;
  }
  template <class T>
  T little_endian() noexcept {
    T value = 0;
    ByteView const bytes = take(sizeof(T));
    for (std::size_t i = bytes.size(); i > 0; --i)
      value = static_cast<T>(value << 8 | bytes[i - 1]);
    return value;
  }

  ByteView bytes_;
  std::size_t position_ = 0;
  std::uint64_t base_ = 0;
  bool ok_ = true;
};

}  // namespace shamon
