// How bytes for the outside are written; cursor.hpp is its counterpart.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace shamon {

/// Appends fixed-width integers and bytes to a buffer it owns.
class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t v) { return little_endian(v); }
  ByteWriter& u16le(std::uint16_t v) { return little_endian(v); }
  ByteWriter& u32le(std::uint32_t v) { return little_endian(v); }
  ByteWriter& u64le(std::uint64_t v) { return little_endian(v); }
  ByteWriter& u16be(std::uint16_t v) { return big_endian(v); }
  ByteWriter& u32be(std::uint32_t v) { return big_endian(v); }
  ByteWriter& u64be(std::uint64_t v) { return big_endian(v); }
  ByteWriter& bytes(ByteView v) {
    append(out_, v);
    return *this;
  }
  Bytes take() && { return std::move(out_); }
  Bytes const& view() const noexcept { return out_; }

 private:
  template <class T>
  ByteWriter& little_endian(T v) {
    for (std::size_t i = 0; i < sizeof(T); ++i) out_.push_back(byte_of(v, i));
    return *this;
  }
  template <class T>
  ByteWriter& big_endian(T v) {
    for (std::size_t i = sizeof(T); i > 0; --i) out_.push_back(byte_of(v, i - 1));
    return *this;
  }
  /// Byte `i` of a number, the lowest being 0.
  static std::uint8_t byte_of(std::uint64_t v, std::size_t i) noexcept {
    return static_cast<std::uint8_t>(v >> (8 * i));
  }

  Bytes out_;
};

}  // namespace shamon
