// The channels of one guest: devices plugged and unplugged while it runs.
//
//   channel-N         ivshmem-plain (QEMU docs/specs/ivshmem-spec.txt): the memory, in a slot made
//                     for it; the guest finds N as the device's ACPI index
//   channel-N-events  virtio-serial port "org.shamon.channel.N": one byte a ring
//
// Not ivshmem-doorbell: QEMU 7.2 frees a peer's doorbells twice when it is told that the peer left,
// and leaves handlers behind when the device is unplugged, which then spin and hit what comes next.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>

#include "vm/driver.hpp"
#include "vm/limits.hpp"
#include "vm/qemu/qmp.hpp"

namespace shamon {

/// PCI Express root port `index`, for the command line; a device is plugged with bus=`id`.
std::string channel_slot_id(std::size_t index);

class QemuChannels {
 public:
  /// `qmp` is there whenever a channel is asked for.
  explicit QemuChannels(std::optional<QmpConnection>& qmp) : qmp_(qmp) {}

  /// Errors: `too_large` without a free slot, `conflict` if it is there, and QEMU's.
  Status plug_memory(ChannelMemory memory);
  Status plug_events(ChannelId channel, UniqueFd socket);
  /// Takes the events, and asks the guest to let go of the memory.
  Status unplug(ChannelId channel);
  /// True once nothing is there any more; gives back what belonged to it.
  Result<bool> is_unplugged(ChannelId channel);

 private:
  Result<std::size_t> free_slot(ChannelId channel) const;
  Status add_backend(std::string const& id, ChannelMemory const& memory);
  Status add_chardev(std::string const& id, UniqueFd socket);
  Status run(std::string_view command, std::string const& arguments, int descriptor = -1);

  std::optional<QmpConnection>& qmp_;
  std::array<std::optional<ChannelId>, kChannelSlots> slots_;
  std::set<ChannelId> events_;
};

}  // namespace shamon
