// Key material: wiped when it goes, never copied, never printed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"

namespace shamon {

/// Overwrites memory in a way the compiler keeps.
void wipe(std::span<std::uint8_t> bytes) noexcept;

template <std::size_t N>
class Secret {
 public:
  Secret() noexcept = default;
  explicit Secret(std::span<const std::uint8_t, N> bytes) noexcept {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  Secret(Secret const&) = delete;
  Secret& operator=(Secret const&) = delete;
  ~Secret() { wipe(bytes_); }

  /// For the function that uses the key, and no other.
  std::span<const std::uint8_t, N> expose() const noexcept { return bytes_; }
  std::span<std::uint8_t, N> expose_mutable() noexcept { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

}  // namespace shamon
