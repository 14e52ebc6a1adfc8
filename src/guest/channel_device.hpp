// A channel with another VM as this one sees it, used through what any Linux guest has: the memory
// is a PCI device (ivshmem) mapped from sysfs, the events are a virtio-serial port. Both say the
// channel's number.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace shamon::guest {

/// Where the kernel shows devices.
struct ChannelPlaces {
  std::string pci = "/sys/bus/pci/devices";
  std::string ports = "/sys/class/virtio-ports";
  std::string devices = "/dev";
};

struct ChannelSeen {
  unsigned number = 0;
  std::string memory;  ///< folder of the PCI device; empty: none
  std::string events;  ///< device file of the port; empty: none
  std::uint64_t memory_bytes = 0;
};
/// The channels this VM has, by number.
std::vector<ChannelSeen> find_channels(ChannelPlaces const& places);

class ChannelMemory {
 public:
  /// Turns the device on and maps it. Errors: `not_found` for a channel without memory here,
  /// `system`.
  static Result<ChannelMemory> map(ChannelSeen const& channel);
  ChannelMemory(ChannelMemory&& other) noexcept;
  ChannelMemory& operator=(ChannelMemory&& other) noexcept;
  ~ChannelMemory();

  /// Errors: `invalid` for what is not inside the memory. Where this VM may only read, what is
  /// written goes nowhere: that is the hypervisor's doing, and nobody says so.
  Result<Bytes> read(std::uint64_t offset, std::uint64_t bytes) const;
  Status write(std::uint64_t offset, ByteView bytes) const;

 private:
  ChannelMemory() noexcept = default;
  std::uint8_t volatile* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

/// The events of a channel. One program at a time can have them open: the kernel's rule.
class ChannelEvents {
 public:
  /// Errors: `not_found` for a channel without events here, `conflict` if another program has them.
  static Result<ChannelEvents> open(ChannelSeen const& channel);
  /// Errors: `invalid`, `unreachable` once the channel is gone.
  Status ring(unsigned event) const;
  /// Waits for the next ring; its event. Errors: `timeout`, `unreachable`.
  Result<unsigned> wait(int milliseconds) const;

 private:
  explicit ChannelEvents(UniqueFd port) : port_(std::move(port)) {}
  UniqueFd port_;
};

}  // namespace shamon::guest
