// What a port may send: Ethernet II carrying ARP, IPv4 (RFC 791) or IPv6 (RFC 8200), looked at once
// and then only through these views. Pure: bytes in, views or a fault out.
#pragma once

#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include <sys/uio.h>

#include "base/bytes.hpp"
#include "base/ipv4.hpp"
#include "policy/decide.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

enum class PacketFault : std::uint8_t {
  truncated,         ///< ends before a header does
  not_ip,            ///< version or EtherType is another one
  bad_header_bytes,  ///< IHL below 5, options (RFC 7126), extension headers: the gate passes none
  bad_total_bytes,   ///< total length beyond the frame or below the headers
  bad_checksum,      ///< of the IPv4 header
  fragment,          ///< fragments carry no ports after the first, so none pass
  bad_transport,     ///< TCP, UDP or ICMP header breaks its format
  bad_offload,       ///< the virtio-net header does not fit the packet
  bad_neighbour,     ///< ARP or neighbour discovery that asks nothing the gate answers
  link_scope,        ///< IPv6 between neighbours of a link: each port is a link of its own
  bad_esp,           ///< too short, wrong multiple, wrong padding
  not_esp,           ///< non-ESP marker or keepalive of RFC 3948 §2
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
inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr std::uint8_t kProtocolIcmpV6 = 58;
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

using ArpReply = std::array<std::uint8_t, 28>;
/// "`request.target` is at `answer`".
ArpReply make_arp_reply(ArpRequest const& request, MacAddress const& answer) noexcept;

/// A VM at the IPv4 address a.b.c.d has the IPv6 prefix fd53:4841:ab:cd::/64 (RFC 4193) beside it,
/// so one identity stands behind both, and the VM may choose the lower half itself (RFC 4862).
inline constexpr std::uint32_t kVmPrefix = 0xfd534841;
/// The VM whose prefix the 16 bytes begin with; 0.0.0.0, which is no VM's, for any other.
inline Ipv4 vm_of_ipv6(std::uint8_t const* address) noexcept {
  return {get_u32be(address) == kVmPrefix ? get_u32be(address + 4) : 0};
}

/// The part of the traffic class that tells of congestion (RFC 3168 §5).
inline constexpr std::uint8_t kEcnMask = 3;

/// One IP packet without options, extension headers or fragments, its transport header checked.
struct IpPacket {
  std::span<std::uint8_t> bytes;  ///< from the IP header, exactly its total length
  std::span<iovec const> rest{};  ///< or less by these (PortDriver::Frame::rest)
  std::size_t rest_bytes = 0;
  std::uint16_t ip_header_bytes = 0;         ///< IPv4 20, IPv6 40
  std::uint16_t transport_header_bytes = 0;  ///< TCP 20..60, UDP, ICMP and ICMPv6 8, others 0
  std::uint8_t protocol = 0;                 ///< IPv6: the next header
  std::uint8_t hops = 0;                     ///< TTL or hop limit
  std::uint8_t traffic_class = 0;            ///< DSCP and, in the two lowest bits, ECN
  std::uint8_t tcp_flags = 0;
  Ipv4 source;  ///< of the VM; for IPv6 the one its prefix stands for
  Ipv4 destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  bool is_ipv6() const noexcept { return ip_header_bytes == kIpv6HeaderBytes; }
  std::uint16_t ether_type() const noexcept { return is_ipv6() ? kEtherTypeIpv6 : kEtherTypeIpv4; }
  std::size_t total_bytes() const noexcept { return bytes.size() + rest_bytes; }
  std::size_t headers_bytes() const noexcept { return ip_header_bytes + transport_header_bytes; }
  std::span<std::uint8_t> transport() const noexcept { return bytes.subspan(ip_header_bytes); }
  /// Policy knows one ICMP.
  Service service() const noexcept {
    return {protocol == kProtocolIcmpV6 ? kProtocolIcmp : protocol, destination_port,
            opens_connection() ? std::uint16_t{0} : source_port};
  }
  /// The first packet of a TCP connection is no answer, so its source port does not count.
  bool opens_connection() const noexcept {
    return protocol == kProtocolTcp && (tcp_flags & 0x12) == 0x02;
  }
};
/// Bytes behind the total length (Ethernet padding) are cut off; with a rest there may be none.
Parsed<IpPacket> parse_ip_packet(std::span<std::uint8_t> bytes,
                                 std::span<iovec const> rest = {}) noexcept;
/// Copies out.size() bytes of the packet from `offset` on, which it must have.
void copy_packet(IpPacket const& packet, std::size_t offset, std::span<std::uint8_t> out) noexcept;

/// A neighbour solicitation (RFC 4861 §4.3) for an address the VM asks its link about.
struct NeighbourSolicitation {
  ByteView source;  ///< 16 bytes; all zero in duplicate address detection
  ByteView target;
};
/// Errors: `bad_neighbour` for anything else a VM says to its link.
Parsed<NeighbourSolicitation> parse_neighbour_solicitation(ByteView packet) noexcept;
inline constexpr std::size_t kNeighbourAdvertisementBytes = kIpv6HeaderBytes + 32;
using NeighbourAdvertisement = std::array<std::uint8_t, kNeighbourAdvertisementBytes>;
/// "`asked.target` is at `answer`, a router", as an IPv6 packet.
NeighbourAdvertisement make_neighbour_advertisement(NeighbourSolicitation const& asked,
                                                    MacAddress const& answer) noexcept;

/// Where VMs find the host monitor's services (docs/vm-services.md); no VM has these addresses.
inline constexpr Ipv4 kServiceIpv4{0xa9fe3501};  // 169.254.53.1, RFC 3927
/// fe80::53
inline constexpr std::string_view kServiceIpv6("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x53", 16);
/// True for DHCP and DNS of the VM at `own`.
bool asks_services(IpPacket const& packet, Ipv4 own) noexcept;
/// The same of an IPv6 packet with link scope: router solicitation, DHCPv6 and DNS.
bool asks_link_services(ByteView packet) noexcept;

/// Lowers the MSS option of a SYN to `mss_max` (RFC 4459 §3.2). `checksum_complete`: the TCP
/// checksum is corrected too (RFC 1624).
void clamp_mss(IpPacket const& packet, std::uint16_t mss_max, bool checksum_complete) noexcept;

/// What the outer header says of congestion goes into the inner one (RFC 6040 §4.2). False if the
/// packet must be dropped: it is marked, but its sender would not understand.
bool apply_outer_ecn(IpPacket& packet, std::uint8_t outer_ecn) noexcept;

/// ICMP "fragmentation needed" (RFC 1191 §4) or ICMPv6 "packet too big" (RFC 4443 §3.2) to the
/// source. The gate has no address of its own, so the destination speaks: the sender matches the
/// quoted header, not the outer source.
struct TooBig {
  std::array<std::uint8_t, 2 * (kIpv6HeaderBytes + 8)> memory{};
  std::size_t size = 0;
};
TooBig make_too_big(IpPacket const& packet, std::uint16_t mtu) noexcept;

/// The 14 bytes in front of a packet for a VM.
std::array<std::uint8_t, kEthernetHeaderBytes> make_ethernet_header(MacAddress const& destination,
                                                                    MacAddress const& source,
                                                                    std::uint16_t type) noexcept;

/// Writes the length of the packet whose header, of the kind `like` has, is at `header`; IPv4's
/// checksum too.
void set_ip_bytes(IpPacket const& like, std::uint8_t* header, std::size_t bytes) noexcept;
/// Recomputes the header checksum of the IPv4 header at `header`.
void set_ipv4_checksum(std::uint8_t* header) noexcept;

}  // namespace shamon
