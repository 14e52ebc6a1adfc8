// The device's end of a virtio ring (Virtual I/O Device 1.2 §2.7 split, §2.8 packed). The driver's
// end is the guest: nothing it writes is believed, and each of its values is read once.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tunnel/vhost_user/guest_memory.hpp"

namespace shamon::vhost_user {

enum class Direction : std::uint8_t { from_guest, to_guest };

/// Where a ring lies and what was agreed about it.
struct Wiring {
  std::uint16_t size = 0;  ///< descriptors
  Area descriptors, driver, device;
  bool event_index = false;
  bool indirect = false;
  Direction direction = Direction::from_guest;
  std::shared_ptr<GuestMemory const> memory;
  std::shared_ptr<DirtyLog const> log;  ///< none while nobody copies the guest
};

/// One chain of descriptors: one buffer of the guest.
struct Chain {
  std::uint16_t id = 0;
  std::uint16_t slots = 0;  ///< descriptors it takes in the ring itself
  std::size_t bytes = 0;
};

class Ring {
 public:
  /// A position in a ring. `wrap` counts rounds in a packed ring and stays true in a split one.
  struct Position {
    std::uint16_t index = 0;
    bool wrap = true;
  };
  /// A split ring for a wiring whose areas have split_sizes(), or a packed one. `base`: what
  /// set_vring_base said. Fault: bad_ring_base.
  static Checked<std::unique_ptr<Ring>> make(Wiring wiring, bool packed, std::uint32_t base);
  struct Sizes {
    std::size_t descriptors, driver, device;
  };
  static Sizes sizes(bool packed, std::uint16_t size) noexcept;

  explicit Ring(Wiring wiring) noexcept : wiring_(std::move(wiring)) {}
  virtual ~Ring() = default;
  Ring(Ring const&) = delete;
  Ring& operator=(Ring const&) = delete;

  /// The next chain; its buffers are appended to `pieces`. Nothing if the guest has none ready.
  virtual Checked<std::optional<Chain>> take(std::vector<Area>& pieces) noexcept = 0;
  /// Takes are undone by going back to a mark, as long as no chain behind it was given back.
  Position mark() const noexcept { return next_; }
  void rewind(Position mark) noexcept { next_ = mark; }
  /// Returns chains in the order they were taken; the guest sees them after publish().
  virtual void give_back(Chain const& chain, std::uint32_t written_bytes) noexcept = 0;
  virtual void publish() noexcept = 0;
  /// Whether the guest wants to be told of what was published since the last question.
  virtual bool wants_call() noexcept = 0;
  /// Whether we want to be told of new chains. After asking for it, take() must be tried again.
  virtual void want_kicks(bool wanted) noexcept = 0;
  /// What get_vring_base answers. Precondition: published.
  virtual std::uint32_t base() const noexcept = 0;
  /// The same ring at another place of ours, or with another log.
  void rewire(Wiring wiring) noexcept { wiring_ = std::move(wiring); }
  Wiring const& wiring() const noexcept { return wiring_; }

 protected:
  struct Descriptor {
    std::uint64_t address;
    std::uint32_t bytes;
    std::uint16_t third, fourth;  ///< split: flags, next; packed: id, flags
  };
  static constexpr std::uint16_t kNext = 1, kWrite = 2, kIndirect = 4;
  static constexpr std::size_t kDescriptorBytes = 16;

  static Descriptor read_descriptor(std::uint8_t const* at) noexcept;
  /// Appends one buffer.
  Checked<void> add(Descriptor const& descriptor, std::uint16_t flags, std::vector<Area>& pieces,
                    Chain& chain) const noexcept;
  /// Appends the buffers of an indirect table: linked by `next` in a split ring, else in order.
  Checked<void> add_table(Descriptor const& descriptor, bool linked, std::vector<Area>& pieces,
                          Chain& chain) const noexcept;
  void log_write(Area const& area, std::size_t offset, std::size_t bytes) const noexcept {
    if (wiring_.log) wiring_.log->mark(area.guest + offset, bytes);
  }

  Wiring wiring_;
  Position next_;  ///< the next chain to take
};

/// Aligned values in memory that the guest changes meanwhile. Virtio 1 is little-endian, as is
/// every machine we run on.
template <class T>
T load(std::uint8_t const* at) noexcept {
  return __atomic_load_n(reinterpret_cast<T const*>(at), __ATOMIC_RELAXED);
}
template <class T>
T load_acquire(std::uint8_t const* at) noexcept {
  return __atomic_load_n(reinterpret_cast<T const*>(at), __ATOMIC_ACQUIRE);
}
template <class T>
void store(std::uint8_t* at, T value) noexcept {
  __atomic_store_n(reinterpret_cast<T*>(at), value, __ATOMIC_RELAXED);
}
template <class T>
void store_release(std::uint8_t* at, T value) noexcept {
  __atomic_store_n(reinterpret_cast<T*>(at), value, __ATOMIC_RELEASE);
}
/// Between a store the guest must see and a load of what it wants (§2.7.7.1, §2.7.10).
inline void fence() noexcept {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/// True if `event` lies in (before, now] of a free-running index (§2.7.7.1).
constexpr bool crossed(std::uint16_t event, std::uint16_t now, std::uint16_t before) noexcept {
  return static_cast<std::uint16_t>(now - event - 1) < static_cast<std::uint16_t>(now - before);
}

}  // namespace shamon::vhost_user
