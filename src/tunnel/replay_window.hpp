// The anti-replay window of RFC 4303 §3.4.3, kept as a ring of words so that sliding never shifts
// bits (RFC 6479). Numbers are 64 bits wide; on the wire are the lower 32, and all of them are
// there if the SA does not use extended sequence numbers.
#pragma once

#include <array>
#include <cstdint>

#include "tunnel/limits.hpp"

namespace shamon {

class ReplayWindow {
 public:
  /// True if the number is new and inside or ahead of the window. Zero is never valid: the first
  /// packet of an SA carries 1 (RFC 4303 §2.2).
  bool may_accept(std::uint64_t sequence) const noexcept {
    if (sequence == 0) return false;
    if (sequence > highest_) return true;
    if (highest_ - sequence >= kReplayWindowPackets) return false;
    return (words_[word_of(sequence)] & bit_of(sequence)) == 0;
  }

  /// Marks a number whose packet was authenticated. False if it was taken meanwhile: two copies in
  /// one batch both pass may_accept, only the first is accepted.
  bool accept(std::uint64_t sequence) noexcept {
    if (!may_accept(sequence)) return false;
    if (sequence > highest_) slide_to(sequence);
    words_[word_of(sequence)] |= bit_of(sequence);
    return true;
  }

  std::uint64_t highest() const noexcept { return highest_; }

  /// The whole number whose lower half is `low` (RFC 4303 §A2.1): the one nearest to the window.
  std::uint64_t extend(std::uint32_t low) const noexcept {
    constexpr std::uint64_t kHalf = std::uint64_t{1} << 32;
    std::uint64_t const bottom =
        highest_ < kReplayWindowPackets ? 0 : highest_ + 1 - kReplayWindowPackets;
    std::uint64_t const number = (bottom & ~(kHalf - 1)) | low;
    return number < bottom ? number + kHalf : number;
  }

 private:
  // One word more than the window, so that the word being filled never holds numbers still inside.
  static constexpr std::uint64_t kWords = kReplayWindowPackets / 64 * 2;
  static_assert((kWords & (kWords - 1)) == 0 && kWords * 64 > kReplayWindowPackets);

  static std::uint64_t word_of(std::uint64_t sequence) noexcept {
    return (sequence >> 6) & (kWords - 1);
  }
  static std::uint64_t bit_of(std::uint64_t sequence) noexcept {
    return std::uint64_t{1} << (sequence & 63);
  }
  void slide_to(std::uint64_t sequence) noexcept {
    std::uint64_t steps = (sequence >> 6) - (highest_ >> 6);
    if (steps > kWords) steps = kWords;
    for (std::uint64_t i = 0; i < steps; ++i) words_[((sequence >> 6) - i) & (kWords - 1)] = 0;
    highest_ = sequence;
  }

  std::array<std::uint64_t, kWords> words_{};
  std::uint64_t highest_ = 0;
};

}  // namespace shamon
