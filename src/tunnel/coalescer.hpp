// Puts consecutive TCP segments of one flow back into one super-packet, as a network card's GRO
// would, so that the VM's kernel handles them at once. Pure: it keeps views of the packets, so
// flush before their memory is used again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <sys/uio.h>

#include "tunnel/offload.hpp"

namespace shamon {

class Coalescer {
 public:
  /// A chain of packets as one frame: headers, then each packet's payload where it lies.
  struct Chain {
    IpPacket packet;  ///< the first packet; `bytes` is that packet only
    Offload offload;
    std::size_t packets = 0;
    std::size_t ip_bytes = 0;                      ///< of the super-packet
    std::array<iovec, kBatchPackets + 1> parts{};  ///< [0] are the headers (IPv4 and TCP)
    std::size_t part_count = 0;
  };

  bool empty() const noexcept { return !occupied_; }
  /// True if the packet continues the chain and was added. Its checksum was verified here.
  bool append(IpPacket const& packet) noexcept;
  /// Begins a chain; the coalescer must be empty.
  void begin(IpPacket const& packet) noexcept;
  /// The chain with its first packet's headers rewritten for the whole; empties the coalescer. The
  /// result stays valid until the next begin().
  Chain const& take() noexcept;

 private:
  bool continues(IpPacket const& packet) const noexcept;
  Chain chain_;
  bool occupied_ = false;
  bool open_ = false;              ///< more segments may follow
  bool checksum_checked_ = false;  ///< of the first packet
  std::uint32_t next_sequence_ = 0;
  std::size_t first_payload_bytes_ = 0;
};

}  // namespace shamon
