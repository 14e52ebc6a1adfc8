// A guest's memory as the front end shows it to us, and the log of the pages we wrote.
//
// The guest writes here at any moment. Whoever reads a value that decides something reads it once.
#pragma once

#include <array>
#include <span>

#include "base/fd.hpp"
#include "tunnel/vhost_user/message.hpp"

namespace shamon::vhost_user {

/// A run of guest memory in our address space.
struct Area {
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  std::uint64_t guest = 0;  ///< where the guest sees it
};

/// Memory shared with the front end. It must be a memfd that cannot shrink (QEMU's
/// memory-backend-memfd and its dirty log are): else its owner could truncate it and any access
/// would end the gate with SIGBUS. What remains is a hole punched into huge pages whose pool is
/// empty; the VMs we start use no huge pages.
class SharedMapping {
 public:
  SharedMapping() noexcept = default;
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  ~SharedMapping();
  /// Faults: not_sealed, bad_region (outside the file), cannot_map.
  static Checked<SharedMapping> map(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept;

  std::uint8_t* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  void* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

class GuestMemory {
 public:
  /// One descriptor a region, in their order. Faults: bad_region (empty, wraps, overlaps another),
  /// bad_descriptors, and those of SharedMapping::map.
  static Checked<GuestMemory> map(MemoryTable const& table,
                                  std::span<UniqueFd const> descriptors) noexcept;

  /// As much of `bytes` at the guest's address as lies in one region; empty if nothing does.
  Area at_guest(std::uint64_t guest, std::uint64_t bytes) const noexcept;
  /// All of `bytes` at the front end's address, which must lie in one region, aligned in ours to
  /// `alignment`. Fault: bad_ring_address.
  Checked<Area> at_user(std::uint64_t user, std::size_t bytes,
                        std::size_t alignment) const noexcept;
  /// One behind the last byte of the guest's memory.
  std::uint64_t guest_end() const noexcept;

 private:
  struct Region {
    MemoryRegion where;
    SharedMapping mapping;
  };
  std::array<Region, kRegionsMax> regions_;
  std::size_t count_ = 0;
};

/// One bit a page, set by us and cleared by the front end while it copies the guest to another
/// machine.
class DirtyLog {
 public:
  explicit DirtyLog(SharedMapping mapping) noexcept : mapping_(std::move(mapping)) {}
  bool covers(std::uint64_t guest_end) const noexcept {
    return guest_end == 0 || (guest_end - 1) / kLogPageBytes / 8 < mapping_.size();
  }
  /// Precondition: covers(guest + bytes).
  void mark(std::uint64_t guest, std::size_t bytes) const noexcept;

 private:
  SharedMapping mapping_;
};

}  // namespace shamon::vhost_user
