// Feature bits by number, and which of them the gate offers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon::vhost_user {

constexpr std::uint64_t bit(unsigned number) noexcept {
  return std::uint64_t{1} << number;
}

// Virtual I/O Device 1.2 §5.1.3 and §6.
inline constexpr std::uint64_t kNetCsum = bit(0), kNetGuestCsum = bit(1), kNetGuestTso4 = bit(7),
                               kNetGuestTso6 = bit(8), kNetHostTso4 = bit(11),
                               kNetHostTso6 = bit(12), kNetHostEcn = bit(13),
                               kNetMergeableBuffers = bit(15), kNetMultiQueue = bit(22);
inline constexpr std::uint64_t kRingIndirect = bit(28), kRingEventIndex = bit(29),
                               kVersion1 = bit(32), kRingPacked = bit(34);
// The vhost-user protocol's own, among the device's.
inline constexpr std::uint64_t kLogAll = bit(26), kProtocolFeatures = bit(30);

// QEMU 7.2 knows no segmentation of UDP (USO), and fragmenting it (UFO) makes packets that the gate
// does not pass: neither is offered.
inline constexpr std::uint64_t kOfferedAlways =
    kNetCsum | kNetGuestCsum | kNetGuestTso4 | kNetGuestTso6 | kNetHostTso4 | kNetHostTso6 |
    kNetHostEcn | kNetMergeableBuffers | kRingIndirect | kRingEventIndex | kVersion1 | kRingPacked |
    kLogAll | kProtocolFeatures;
constexpr std::uint64_t offered_features(std::size_t queue_pairs) noexcept {
  return queue_pairs > 1 ? kOfferedAlways | kNetMultiQueue : kOfferedAlways;
}

// QEMU docs/interop/vhost-user.rst, "Protocol features".
inline constexpr std::uint64_t kProtocolMq = bit(0), kProtocolLogShmfd = bit(1),
                               kProtocolRarp = bit(2), kProtocolReplyAck = bit(3),
                               kProtocolStatus = bit(16);
inline constexpr std::uint64_t kOfferedProtocol =
    kProtocolMq | kProtocolLogShmfd | kProtocolRarp | kProtocolReplyAck | kProtocolStatus;

}  // namespace shamon::vhost_user
