// One virtqueue: its ring once it runs, the descriptors that come with it, and frames in and out.
#pragma once

#include <atomic>
#include <mutex>
#include <span>

#include <sys/uio.h>

#include "tunnel/vhost_user/ring.hpp"

namespace shamon::vhost_user {

/// What all queues of a front end have in common when a ring starts.
struct Agreement {
  std::uint64_t features = 0;
  std::shared_ptr<GuestMemory const> memory;
  std::shared_ptr<DirtyLog const> log;
};

/// Thread-safe: frames are moved by whoever serves or sends to the port, everything else is done by
/// whoever reads the front end's messages.
class Queue {
 public:
  explicit Queue(Direction direction);

  // What messages say. Faults: those of the ring's set-up.
  Checked<void> set_size(std::uint32_t descriptors) noexcept;
  Checked<void> set_addresses(RingAddresses const& addresses, Agreement const& agreement) noexcept;
  void set_base(std::uint32_t base) noexcept;
  void enable(bool enabled) noexcept;
  void set_call(UniqueFd call) noexcept;
  void set_error(UniqueFd error) noexcept;
  /// The ring runs from now on. Faults: bad_features, bad_ring_*.
  Checked<void> start(UniqueFd kick, Agreement const& agreement) noexcept;
  /// Ends the ring; where it stands is what get_vring_base answers. `forget`: nothing that was said
  /// is kept, because another front end comes.
  std::uint32_t stop(bool forget) noexcept;
  /// Memory, log or features changed while the ring may run.
  Checked<void> rewire(Agreement const& agreement) noexcept;
  bool started() noexcept;
  /// The descriptor that tells of new chains; -1 while the ring does not run.
  int kick() const noexcept { return kick_.get(); }

  struct Taken {
    std::size_t bytes = 0;          ///< in the buffer
    std::span<iovec const> rest{};  ///< behind them, still in the guest's memory
  };
  /// Copies the next frame of the guest, header first, as much as fits, or nothing. Of a TCP
  /// super-packet only the headers; its payload may be read until the next read() or finish().
  Checked<std::optional<Taken>> read(std::span<std::uint8_t> buffer) noexcept;
  /// Writes a frame into the guest's buffers. `parts[0]` is the header, whose num_buffers is set
  /// here. False: no room, nothing was written.
  Checked<bool> write(std::span<iovec const> parts) noexcept;
  /// True if the ring runs and the guest uses it.
  bool usable() noexcept;
  /// What was given back becomes visible, and the guest is told if it wants to be.
  void finish() noexcept;

 private:
  Checked<Wiring> wire(Agreement const& agreement) const noexcept;
  Taken take_frame(std::span<std::uint8_t> buffer);
  template <class Use>
  void for_each_run(std::size_t offset, Use const& use) const;
  Checked<bool> take_room(std::size_t bytes) noexcept;
  void scatter(std::span<iovec const> parts) noexcept;
  void finish_locked() noexcept;
  template <class T>
  tl::unexpected<Fault> broken(Checked<T> const& fault) noexcept;

  std::mutex mutex_;
  Direction const direction_;
  std::uint16_t size_ = 0;
  std::optional<RingAddresses> addresses_;
  std::uint32_t base_ = 0;
  UniqueFd kick_, call_, error_;
  bool enabled_ = false;
  bool mergeable_ = false;
  bool kicks_wanted_ = false;
  std::unique_ptr<Ring> ring_;
  std::size_t given_back_ = 0;  ///< chains since the last finish()
  std::atomic<bool> unfinished_ = false;
  // Of one frame; kept for their memory.
  std::vector<Area> pieces_;
  std::vector<Chain> chains_;
  std::vector<iovec> rest_;
  std::shared_ptr<GuestMemory const> lent_;  ///< what `rest_` points into
};

}  // namespace shamon::vhost_user
