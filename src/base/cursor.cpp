#include "base/cursor.hpp"

namespace shamon {
namespace {

template <class T>
T little_endian(ByteView bytes) noexcept {
  T value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) value = static_cast<T>(value << 8 | bytes[i - 1]);
  return value;
}

template <class T>
T big_endian(ByteView bytes) noexcept {
  T value = 0;
  for (std::uint8_t b : bytes) value = static_cast<T>(value << 8 | b);
  return value;
}

}  // namespace

std::uint8_t Cursor::u8() noexcept {
  ByteView const b = take(1);
  return b.empty() ? std::uint8_t{0} : b[0];
}
std::uint16_t Cursor::u16le() noexcept {
  return little_endian<std::uint16_t>(take(2));
}
std::uint32_t Cursor::u32le() noexcept {
  return little_endian<std::uint32_t>(take(4));
}
std::uint64_t Cursor::u64le() noexcept {
  return little_endian<std::uint64_t>(take(8));
}
std::uint16_t Cursor::u16be() noexcept {
  return big_endian<std::uint16_t>(take(2));
}
std::uint32_t Cursor::u32be() noexcept {
  return big_endian<std::uint32_t>(take(4));
}
std::uint64_t Cursor::u64be() noexcept {
  return big_endian<std::uint64_t>(take(8));
}

ByteView Cursor::take(std::size_t size) noexcept {
  if (!ok_ || size > remaining()) {
    ok_ = false;
    return {};
  }
  ByteView const out = bytes_.subspan(position_, size);
  position_ += size;
  return out;
}

ByteView Cursor::peek(std::size_t size) const noexcept {
  if (!ok_ || size > remaining()) return {};
  return bytes_.subspan(position_, size);
}

Error Cursor::truncated(std::string_view what) const {
  return Error{Errc::truncated, "input ends inside " + std::string(what), offset()};
}

ByteWriter& ByteWriter::u8(std::uint8_t v) {
  out_.push_back(v);
  return *this;
}

#define SHAMON_DEFINE_WRITER(name, type, shift)                      \
  ByteWriter& ByteWriter::name(type v) {                             \
    for (std::size_t i = 0; i < sizeof(type); ++i) {                 \
      out_.push_back(static_cast<std::uint8_t>(v >> (8 * (shift)))); \
    }                                                                \
    return *this;                                                    \
  }
SHAMON_DEFINE_WRITER(u16le, std::uint16_t, i)
SHAMON_DEFINE_WRITER(u32le, std::uint32_t, i)
SHAMON_DEFINE_WRITER(u64le, std::uint64_t, i)
SHAMON_DEFINE_WRITER(u16be, std::uint16_t, sizeof(v) - 1 - i)
SHAMON_DEFINE_WRITER(u32be, std::uint32_t, sizeof(v) - 1 - i)
SHAMON_DEFINE_WRITER(u64be, std::uint64_t, sizeof(v) - 1 - i)
#undef SHAMON_DEFINE_WRITER

ByteWriter& ByteWriter::bytes(ByteView v) {
  append(out_, v);
  return *this;
}

}  // namespace shamon
