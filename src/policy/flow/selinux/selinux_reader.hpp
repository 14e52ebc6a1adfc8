// The format's smallest parts: bounded counts, names, ebitmaps, and the first error kept.
#pragma once

#include <bit>
#include <string>

#include "base/cursor.hpp"
#include "policy/flow/limits.hpp"

namespace shamon {

/// Little-endian words over a cursor. After the first error every read yields zero, so loops over
/// counts end by `good()` and nothing is allocated by a length that was not checked.
class SelinuxReader {
 public:
  explicit SelinuxReader(ByteView file) : in_(file) {}

  bool good() const noexcept { return in_.ok() && !error_; }
  bool at_end() const noexcept { return in_.at_end(); }
  std::uint64_t offset() const noexcept { return in_.offset(); }
  /// Keeps the first refusal; later ones are its consequences.
  void refuse(Errc code, std::string what) {
    if (good()) error_ = Error{code, std::move(what), in_.offset()};
  }
  Error error(std::string_view reading) const { return error_ ? *error_ : in_.truncated(reading); }

  std::uint8_t u8() { return good() ? in_.u8() : std::uint8_t{0}; }
  std::uint16_t u16() { return good() ? in_.u16le() : std::uint16_t{0}; }
  std::uint32_t u32() { return good() ? in_.u32le() : 0u; }
  void skip(std::size_t bytes) {
    if (good()) in_.take(bytes);
  }
  void skip_words(std::size_t words) { skip(words * 4); }

  /// `size` bytes of a name; sizes stand before other words, so the caller has it.
  std::string name(std::uint32_t size) {
    if (size > kSelinuxNameBytesMax) refuse(Errc::too_large, "a name is too long");
    if (!good()) return {};
    auto const text = as_text(in_.take(size));
    if (text.find('\0') != std::string_view::npos) refuse(Errc::malformed, "a name holds a zero");
    return std::string(text);
  }

  /// An ebitmap: `use(i)` for every bit i set, ascending, below `bits_max`.
  template <class Use>
  void bitmap(std::uint32_t bits_max, Use use) {
    std::uint32_t const unit = u32();
    std::uint32_t const high = u32();
    std::uint32_t const count = u32();
    if (unit != 64) refuse(Errc::malformed, "a bitmap does not count in 64 bits");
    std::uint64_t next = 0;
    for (std::uint32_t i = 0; i < count && good(); ++i) {
      std::uint32_t const start = in_.u32le();
      std::uint64_t const map = in_.u64le();
      bool const sound = start % 64 == 0 && start >= next && start < high && map != 0;
      if (!sound) refuse(Errc::malformed, "a bitmap is out of order");
      next = std::uint64_t{start} + 64;
      if (!good()) return;
      if (start + std::uint64_t(64 - std::countl_zero(map)) > bits_max) {
        return refuse(Errc::malformed, "a bitmap names what does not exist");
      }
      for (std::uint64_t rest = map; rest != 0; rest &= rest - 1) {
        use(start + static_cast<std::uint32_t>(std::countr_zero(rest)));
      }
    }
  }
  void skip_bitmap() {
    bitmap(~std::uint32_t{0}, [](std::uint32_t) {});
  }

 private:
  Cursor in_;
  std::optional<Error> error_;
};

}  // namespace shamon
