// A hash table for things that are numbered and stand elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace shamon::trust_detail {

inline constexpr std::uint32_t kNoNumber = 0xffffffff;

/// Finds numbers by the hash of what they number; holds hashes and numbers, no keys and no nodes.
class NumberIndex {
 public:
  /// The number of that hash for which `is` holds; kNoNumber: none.
  template <class Is>
  std::uint32_t find(std::uint32_t hash, Is&& is) const {
    if (slots_.empty()) return kNoNumber;
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      Slot const& slot = slots_[at];
      if (slot.number == kNoNumber || (slot.hash == hash && is(slot.number))) return slot.number;
    }
  }

  /// A number that is not in it.
  void add(std::uint32_t hash, std::uint32_t number) {
    if (4 * (count_ + 1) > 3 * slots_.size()) grow();
    place({hash, number});
    ++count_;
  }

  /// A number that is in it.
  void remove(std::uint32_t hash, std::uint32_t number) {
    std::size_t hole = hash & mask();
    while (slots_[hole].number != number) hole = (hole + 1) & mask();
    // What stands behind the hole and is looked for from before it moves into it.
    for (std::size_t at = (hole + 1) & mask(); slots_[at].number != kNoNumber;
         at = (at + 1) & mask()) {
      std::size_t const displaced = (at - slots_[at].hash) & mask();
      if (displaced < ((at - hole) & mask())) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = Slot{};
    --count_;
  }

  std::size_t size() const noexcept { return count_; }

 private:
  struct Slot {
    std::uint32_t hash = 0, number = kNoNumber;
  };

  std::size_t mask() const noexcept { return slots_.size() - 1; }
  void place(Slot slot) {
    std::size_t at = slot.hash & mask();
    while (slots_[at].number != kNoNumber) at = (at + 1) & mask();
    slots_[at] = slot;
  }
  void grow() {
    auto const old =
        std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : 2 * slots_.size()));
    for (Slot const slot : old) {
      if (slot.number != kNoNumber) place(slot);
    }
  }

  std::vector<Slot> slots_;  ///< a power of two of them, at least a quarter free
  std::size_t count_ = 0;
};

}  // namespace shamon::trust_detail
