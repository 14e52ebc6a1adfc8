// What a virtio-net header says about the frame behind it (struct virtio_net_hdr, Virtual I/O
// Device 1.2 §5.1.6): one frame may stand for many packets of one flow.
#pragma once

#include <array>
#include <cstdint>

#include "tunnel/packet.hpp"

namespace shamon {

enum class Segmentation : std::uint8_t { none, tcp, udp };

struct Offload {
  Segmentation segmentation = Segmentation::none;
  std::uint16_t segment_bytes = 0;  ///< payload of each packet but the last; 0 without segmentation
  bool checksum_partial = false;    ///< the transport checksum holds the pseudo header's sum only
};

using VnetHeader = std::array<std::uint8_t, kVnetHeaderBytes>;

/// Judges the header against the packet it came with: what it claims about positions must be what
/// the packet's own headers say. Errors: `bad_offload`.
Parsed<Offload> parse_vnet_header(ByteView header, IpPacket const& packet) noexcept;

/// The header for a packet whose transport checksum is complete and was checked or made by us
/// (`checksum_partial` false) or is to be completed by the receiver.
VnetHeader make_vnet_header(Offload const& offload, IpPacket const& packet) noexcept;

/// A super-packet or a plain packet as the packets it stands for. Holds views only.
class Segmenter {
 public:
  Segmenter(IpPacket const& packet, Offload const& offload) noexcept;

  std::size_t count() const noexcept { return count_; }
  /// Size of the packet `index`, IPv4 header included.
  std::size_t bytes(std::size_t index) const noexcept {
    std::size_t const offset = index * segment_bytes_;
    return headers_bytes_ + std::min(segment_bytes_, payload_bytes_ - offset);
  }
  std::size_t bytes_max() const noexcept { return bytes(0); }
  /// Writes the packet `index` with its own lengths, numbers, flags and complete checksums.
  /// `hops` is taken from the TTL. `out` has bytes(index) bytes.
  void write(std::size_t index, std::uint8_t hops, std::span<std::uint8_t> out) const noexcept;

 private:
  void patch_transport(std::size_t index, std::span<std::uint8_t> out) const noexcept;

  IpPacket const& packet_;
  Offload offload_;
  std::size_t headers_bytes_;
  std::size_t payload_bytes_;
  std::size_t segment_bytes_;
  std::size_t count_;
};

}  // namespace shamon
