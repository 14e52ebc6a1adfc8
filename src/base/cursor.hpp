// The one way outside bytes are read, and its counterpart for writing.
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

  std::uint8_t u8() noexcept;
  std::uint16_t u16le() noexcept;
  std::uint32_t u32le() noexcept;
  std::uint64_t u64le() noexcept;
  std::uint16_t u16be() noexcept;
  std::uint32_t u32be() noexcept;
  std::uint64_t u64be() noexcept;
  /// The next `size` bytes, or an empty view and failure.
  ByteView take(std::size_t size) noexcept;
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
  ByteView bytes_;
  std::size_t position_ = 0;
  std::uint64_t base_ = 0;
  bool ok_ = true;
};

/// Appends fixed-width integers and bytes to a buffer it owns.
class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t v);
  ByteWriter& u16le(std::uint16_t v);
  ByteWriter& u32le(std::uint32_t v);
  ByteWriter& u64le(std::uint64_t v);
  ByteWriter& u16be(std::uint16_t v);
  ByteWriter& u32be(std::uint32_t v);
  ByteWriter& u64be(std::uint64_t v);
  ByteWriter& bytes(ByteView v);
  Bytes take() && { return std::move(out_); }
  Bytes const& view() const noexcept { return out_; }

 private:
  Bytes out_;
};

}  // namespace shamon
