#include "tunnel/offload.hpp"

#include <cstring>

#include "base/cursor.hpp"
#include "tunnel/checksum.hpp"

namespace shamon {

namespace {

// Virtual I/O Device 1.2 §5.1.6. The kernel's header for these is no C++ in Debian 12.
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kGsoNone = 0, kGsoTcpIpv4 = 1, kGsoTcpIpv6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;

constexpr std::size_t kTcpSequenceOffset = 4;
constexpr std::size_t kTcpFlagsOffset = 13;
constexpr std::size_t kTcpChecksumOffset = 16;
constexpr std::size_t kUdpLengthOffset = 4;
constexpr std::size_t kUdpChecksumOffset = 6;
constexpr std::uint8_t kTcpFin = 0x01, kTcpPsh = 0x08, kTcpCwr = 0x80;

/// Where the checksum stands within the transport header; 0 if there is none we know.
std::size_t checksum_offset(std::uint8_t protocol) noexcept {
  if (protocol == kProtocolTcp) return kTcpChecksumOffset;
  if (protocol == kProtocolUdp) return kUdpChecksumOffset;
  return 0;
}

std::uint8_t tcp_type(IpPacket const& packet) noexcept {
  return packet.is_ipv6() ? kGsoTcpIpv6 : kGsoTcpIpv4;
}

}  // namespace

Parsed<Offload> parse_vnet_header(ByteView header, IpPacket const& packet) noexcept {
  Cursor in(header);
  std::uint8_t const flags = in.u8();
  std::uint8_t const type = in.u8() & static_cast<std::uint8_t>(~kGsoEcn);
  in.u16le();  // hdr_len is a hint; the packet's own headers decide
  std::uint16_t const segment_bytes = in.u16le();
  std::uint16_t const checksum_start = in.u16le();
  std::uint16_t const checksum_field = in.u16le();
  if (!in.ok()) return packet_fault(PacketFault::bad_offload, header.size());

  Offload offload;
  if ((flags & kNeedsChecksum) != 0) {
    std::size_t const field = checksum_offset(packet.protocol);
    if (field == 0 || checksum_start != kEthernetHeaderBytes + packet.ip_header_bytes ||
        checksum_field != field) {
      return packet_fault(PacketFault::bad_offload, 6);
    }
    offload.checksum_partial = true;
  }
  if (type == kGsoNone) return offload;
  if (type == tcp_type(packet) && packet.protocol == kProtocolTcp) {
    offload.segmentation = Segmentation::tcp;
  } else if (type == kGsoUdp && packet.protocol == kProtocolUdp) {
    offload.segmentation = Segmentation::udp;
  } else {
    return packet_fault(PacketFault::bad_offload, 1);
  }
  // Segments of a few bytes would make one frame a flood; no stack uses an MSS below this.
  constexpr std::uint16_t kSegmentBytesMin = 64;
  if (segment_bytes < kSegmentBytesMin) return packet_fault(PacketFault::bad_offload, 4);
  offload.segment_bytes = segment_bytes;
  return offload;
}

VnetHeader make_vnet_header(Offload const& offload, IpPacket const& packet) noexcept {
  VnetHeader header{};
  auto put_u16le = [&header](std::size_t at, std::size_t value) {
    header[at] = static_cast<std::uint8_t>(value);
    header[at + 1] = static_cast<std::uint8_t>(value >> 8);
  };
  if (offload.checksum_partial) {
    header[0] = kNeedsChecksum;
    put_u16le(6, kEthernetHeaderBytes + packet.ip_header_bytes);
    put_u16le(8, checksum_offset(packet.protocol));
  }
  if (offload.segmentation != Segmentation::none) {
    header[1] = offload.segmentation == Segmentation::tcp ? tcp_type(packet) : kGsoUdp;
    put_u16le(2, kEthernetHeaderBytes + packet.headers_bytes());
    put_u16le(4, offload.segment_bytes);
  }
  return header;
}

Segmenter::Segmenter(IpPacket const& packet, Offload const& offload) noexcept
    : packet_(packet),
      offload_(offload),
      headers_bytes_(packet.headers_bytes()),
      payload_bytes_(packet.total_bytes() - headers_bytes_),
      segment_bytes_(payload_bytes_),
      count_(1) {
  if (offload.segmentation == Segmentation::none || payload_bytes_ <= offload.segment_bytes) return;
  segment_bytes_ = offload.segment_bytes;
  count_ = (payload_bytes_ + segment_bytes_ - 1) / segment_bytes_;
}

void Segmenter::patch_transport(std::size_t index, std::span<std::uint8_t> out) const noexcept {
  std::span<std::uint8_t> const transport = out.subspan(packet_.ip_header_bytes);
  if (packet_.protocol == kProtocolTcp && count_ > 1) {
    std::uint32_t const first = get_u32be(&transport[kTcpSequenceOffset]);
    put_u32be(&transport[kTcpSequenceOffset],
              first + static_cast<std::uint32_t>(index * segment_bytes_));
    // RFC 3168 §6.1.2: CWR on the first segment only; FIN and PSH belong to the last.
    if (index != 0) transport[kTcpFlagsOffset] &= static_cast<std::uint8_t>(~kTcpCwr);
    if (index + 1 != count_) {
      transport[kTcpFlagsOffset] &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPsh));
    }
  }
  if (packet_.protocol == kProtocolUdp) {
    put_u16be(&transport[kUdpLengthOffset], static_cast<std::uint32_t>(transport.size()));
  }
  std::size_t const field = checksum_offset(packet_.protocol);
  if (field == 0 || (!offload_.checksum_partial && count_ == 1)) return;
  transport[field] = 0;
  transport[field + 1] = 0;
  std::uint64_t const sum = checksum_pseudo_header(out.data(), transport.size());
  std::uint16_t checksum = checksum_finish(checksum_add(sum, transport));
  // RFC 768: a computed zero is sent as all ones; zero means "none".
  if (checksum == 0 && packet_.protocol == kProtocolUdp) checksum = 0xffff;
  std::memcpy(&transport[field], &checksum, 2);
}

void Segmenter::write(std::size_t index, std::uint8_t hops,
                      std::span<std::uint8_t> out) const noexcept {
  std::memcpy(out.data(), packet_.bytes.data(), headers_bytes_);
  copy_packet(packet_, headers_bytes_ + index * segment_bytes_, out.subspan(headers_bytes_));
  if (packet_.is_ipv6()) {
    out[7] = static_cast<std::uint8_t>(out[7] - hops);
  } else {
    if (count_ > 1) put_u16be(&out[4], get_u16be(&out[4]) + static_cast<std::uint32_t>(index));
    out[8] = static_cast<std::uint8_t>(out[8] - hops);
  }
  set_ip_bytes(packet_, out.data(), out.size());
  patch_transport(index, out);
}

}  // namespace shamon
