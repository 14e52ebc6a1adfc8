// What a port may send: Ethernet II carrying ARP or IPv4 (RFC 791), looked at once and then only
// through these views. Pure: bytes in, views or a fault out.
#pragma once

#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include "base/bytes.hpp"
#include "base/ipv4.hpp"
#include "policy/decide.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

enum class PacketFault : std::uint8_t {
  truncated,         ///< ends before a header does
  not_ipv4,          ///< version or EtherType is another one
  bad_header_bytes,  ///< IHL below 5, or options: the gate passes none (RFC 7126)
  bad_total_bytes,   ///< total length beyond the frame or below the headers
  bad_checksum,      ///< of the IPv4 header
  fragment,          ///< fragments carry no ports after the first, so none pass
  bad_transport,     ///< TCP, UDP or ICMP header breaks its format
  bad_offload,       ///< the virtio-net header does not fit the packet
  bad_arp,
  bad_esp,  ///< too short, wrong multiple, wrong padding
  not_esp,  ///< non-ESP marker or keepalive of RFC 3948 §2
};

struct PacketError {
  PacketFault fault;
  std::uint32_t offset;  ///< in bytes from the start of what was parsed
};
template <class T>
using Parsed = tl::expected<T, PacketError>;
inline tl::unexpected<PacketError> packet_fault(PacketFault fault, std::size_t offset) noexcept {
  return tl::unexpected<PacketError>({fault, static_cast<std::uint32_t>(offset)});
}

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;

struct EthernetFrame {
  MacAddress destination;
  MacAddress source;
  std::uint16_t type = 0;
  std::span<std::uint8_t> payload;
};
Parsed<EthernetFrame> parse_ethernet(std::span<std::uint8_t> frame) noexcept;

/// An ARP request for IPv4 over Ethernet (RFC 826).
struct ArpRequest {
  MacAddress sender_mac;
  Ipv4 sender;
  Ipv4 target;
};
Parsed<ArpRequest> parse_arp_request(ByteView payload) noexcept;

inline constexpr std::size_t kArpFrameBytes = 42;
using ArpFrame = std::array<std::uint8_t, kArpFrameBytes>;
/// "`request.target` is at `answer`", as a whole frame.
ArpFrame make_arp_reply(ArpRequest const& request, MacAddress const& answer) noexcept;

/// One IPv4 packet without options or fragments, its transport header checked.
struct Ipv4Packet {
  std::span<std::uint8_t> bytes;             ///< from the IPv4 header, exactly its total length
  std::uint16_t transport_header_bytes = 0;  ///< TCP 20..60, UDP and ICMP 8, others 0
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 0;
  std::uint8_t tcp_flags = 0;
  bool dont_fragment = false;
  Ipv4 source;
  Ipv4 destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  std::size_t headers_bytes() const noexcept { return kIpv4HeaderBytes + transport_header_bytes; }
  Service service() const noexcept {
    return {protocol, destination_port, opens_connection() ? std::uint16_t{0} : source_port};
  }
  /// The first packet of a TCP connection is no answer, so its source port does not count.
  bool opens_connection() const noexcept {
    return protocol == kProtocolTcp && (tcp_flags & 0x12) == 0x02;
  }
};
/// Bytes behind the total length (Ethernet padding) are cut off.
Parsed<Ipv4Packet> parse_ipv4_packet(std::span<std::uint8_t> bytes) noexcept;

/// Lowers the MSS option of a SYN to `mss_max` (RFC 4459 §3.2). `checksum_complete`: the TCP
/// checksum is corrected too (RFC 1624).
void clamp_mss(Ipv4Packet const& packet, std::uint16_t mss_max, bool checksum_complete) noexcept;

/// ICMP "fragmentation needed" (RFC 1191 §4) to the source. The gate has no address of its own, so
/// the destination speaks: the sender matches the quoted header, not the outer source.
inline constexpr std::size_t kFragNeededBytes = kIpv4HeaderBytes + 8 + kIpv4HeaderBytes + 8;
using FragNeeded = std::array<std::uint8_t, kFragNeededBytes>;
FragNeeded make_fragmentation_needed(Ipv4Packet const& packet, std::uint16_t mtu) noexcept;

/// The 14 bytes in front of a packet for a VM.
std::array<std::uint8_t, kEthernetHeaderBytes> make_ethernet_header(MacAddress const& destination,
                                                                    MacAddress const& source,
                                                                    std::uint16_t type) noexcept;

inline void put_u16be(std::uint8_t* at, std::uint32_t value) noexcept {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
inline void put_u32be(std::uint8_t* at, std::uint32_t value) noexcept {
  put_u16be(at, value >> 16);
  put_u16be(at + 2, value & 0xffff);
}
inline std::uint16_t get_u16be(std::uint8_t const* at) noexcept {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::uint32_t get_u32be(std::uint8_t const* at) noexcept {
  return static_cast<std::uint32_t>(get_u16be(at)) << 16 | get_u16be(at + 2);
}
/// Recomputes the header checksum of the IPv4 header at `header`.
void set_ipv4_checksum(std::uint8_t* header) noexcept;

}  // namespace shamon
