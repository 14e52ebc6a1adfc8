// Every bound of this folder, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon::vhost_user {

inline constexpr std::size_t kRegionsMax = 8;      ///< VHOST_MEMORY_BASELINE_NREGIONS of QEMU
inline constexpr std::size_t kQueuePairsMax = 16;  ///< one a core; more cores share
inline constexpr std::size_t kRingSizeMax = 1024;  ///< QEMU's VIRTQUEUE_MAX_SIZE
inline constexpr std::size_t kIndirectMax = 1024;  ///< a chain may not exceed the largest ring
inline constexpr std::size_t kPiecesMax = 2048;    ///< of the buffers of one frame
inline constexpr std::size_t kChainsMax = 256;     ///< receive buffers of one frame
inline constexpr std::size_t kPublishChains = 32;  ///< then the guest may have them back
inline constexpr std::size_t kMessagesPerTurn = 64;
inline constexpr std::uint64_t kGuestBytesMax = std::uint64_t{1} << 42;  ///< of one region
inline constexpr std::uint64_t kLogBytesMax = std::uint64_t{1} << 30;

inline constexpr std::size_t kHeaderBytes = 12;  ///< of a message
inline constexpr std::size_t kPayloadBytesMax = 8 + kRegionsMax * 32;
/// struct virtio_net_hdr_v1, Virtual I/O Device 1.2 §5.1.6: ten bytes, then num_buffers.
inline constexpr std::size_t kNetHeaderBytes = 12;
inline constexpr std::uint64_t kLogPageBytes = 4096;  ///< one bit of the dirty log, on any machine
/// What is always copied out of a guest: every header of a frame (Ethernet, IPv6, TCP).
inline constexpr std::size_t kHeadersBytesMax = kNetHeaderBytes + 14 + 40 + 60;

}  // namespace shamon::vhost_user
