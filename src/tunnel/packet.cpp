#include "tunnel/packet.hpp"

#include <cstring>

#include "base/cursor.hpp"
#include "tunnel/checksum.hpp"

namespace shamon {

namespace {

MacAddress take_mac(Cursor& in) noexcept {
  MacAddress mac;
  ByteView octets = in.take(mac.octets.size());
  if (!octets.empty()) std::copy(octets.begin(), octets.end(), mac.octets.begin());
  return mac;
}

/// Fills what the transport header says.
bool parse_transport(IpPacket& packet) noexcept {
  Cursor in(packet.transport());
  std::size_t const bytes = in.remaining();
  switch (packet.protocol) {
    case kProtocolTcp: {
      packet.source_port = in.u16be();
      packet.destination_port = in.u16be();
      in.take(8);
      packet.transport_header_bytes = static_cast<std::uint16_t>((in.u8() >> 4) * 4);
      packet.tcp_flags = in.u8();
      in.take(6);
      return in.ok() && packet.transport_header_bytes >= 20 &&
             packet.transport_header_bytes <= bytes;
    }
    case kProtocolUdp: {
      packet.source_port = in.u16be();
      packet.destination_port = in.u16be();
      std::uint16_t const length = in.u16be();
      in.u16be();
      packet.transport_header_bytes = 8;
      return in.ok() && length == bytes;
    }
    case kProtocolIcmp:
    case kProtocolIcmpV6:
      in.take(8);
      packet.transport_header_bytes = 8;
      return in.ok();
    default: return true;
  }
}

}  // namespace

Parsed<EthernetFrame> parse_ethernet(std::span<std::uint8_t> frame) noexcept {
  Cursor in(frame);
  EthernetFrame result;
  result.destination = take_mac(in);
  result.source = take_mac(in);
  result.type = in.u16be();
  if (!in.ok()) return packet_fault(PacketFault::truncated, frame.size());
  result.payload = frame.subspan(kEthernetHeaderBytes);
  return result;
}

Parsed<ArpRequest> parse_arp_request(ByteView payload) noexcept {
  Cursor in(payload);
  std::uint16_t const hardware = in.u16be();
  std::uint16_t const protocol = in.u16be();
  std::uint16_t const sizes = in.u16be();
  std::uint16_t const operation = in.u16be();
  ArpRequest request;
  request.sender_mac = take_mac(in);
  request.sender = {in.u32be()};
  in.take(6);
  request.target = {in.u32be()};
  if (!in.ok()) return packet_fault(PacketFault::truncated, payload.size());
  // Ethernet (1), IPv4, address sizes 6 and 4, request (1).
  if (hardware != 1 || protocol != kEtherTypeIpv4 || sizes != 0x0604 || operation != 1) {
    return packet_fault(PacketFault::bad_neighbour, 0);
  }
  return request;
}

ArpReply make_arp_reply(ArpRequest const& request, MacAddress const& answer) noexcept {
  ArpReply reply{};
  std::uint8_t* arp = reply.data();
  put_u16be(arp, 1);
  put_u16be(arp + 2, kEtherTypeIpv4);
  put_u16be(arp + 4, 0x0604);
  put_u16be(arp + 6, 2);
  std::copy(answer.octets.begin(), answer.octets.end(), arp + 8);
  put_u32be(arp + 14, request.target.bits);
  std::copy(request.sender_mac.octets.begin(), request.sender_mac.octets.end(), arp + 18);
  put_u32be(arp + 24, request.sender.bits);
  return reply;
}

namespace {

constexpr std::uint8_t kFragmentHeader = 44;  // RFC 8200 §4.5

/// True if a packet of `total` bytes can stand in so many, of which the last `rest` are elsewhere.
bool stands_in(std::size_t total, std::size_t bytes, std::size_t rest) noexcept {
  return rest == 0 ? total <= bytes : total == bytes + rest && total <= kPacketBytesMax;
}

Parsed<IpPacket> parse_ipv4(std::span<std::uint8_t> bytes, std::size_t rest) noexcept {
  Cursor in(bytes);
  IpPacket packet;
  std::uint8_t const version = in.u8();
  packet.traffic_class = in.u8();
  std::uint16_t const total_bytes = in.u16be();
  in.u16be();
  std::uint16_t const fragment = in.u16be();
  packet.hops = in.u8();
  packet.protocol = in.u8();
  in.u16be();
  packet.source = {in.u32be()};
  packet.destination = {in.u32be()};
  if (!in.ok()) return packet_fault(PacketFault::truncated, bytes.size());
  if (version != 0x45) return packet_fault(PacketFault::bad_header_bytes, 0);
  if (total_bytes < kIpv4HeaderBytes || !stands_in(total_bytes, bytes.size(), rest)) {
    return packet_fault(PacketFault::bad_total_bytes, 2);
  }
  if (checksum_fold(checksum_add(0, bytes.first(kIpv4HeaderBytes))) != 0xffff) {
    return packet_fault(PacketFault::bad_checksum, 10);
  }
  // More-fragments or an offset; DF (0x4000) and the reserved bit are no fragment.
  if ((fragment & 0x3fff) != 0) return packet_fault(PacketFault::fragment, 6);
  packet.ip_header_bytes = kIpv4HeaderBytes;
  packet.bytes = bytes.first(std::min<std::size_t>(total_bytes, bytes.size()));
  return packet;
}

/// Multicast (ff00::/8), unspecified and loopback (::/64) and link-local (fe80::/10).
bool has_link_scope(std::uint8_t const* address) noexcept {
  std::uint32_t const first = get_u32be(address);
  return first >> 24 == 0xff || first >> 22 == 0xfe80 >> 6 ||
         (first == 0 && get_u32be(address + 4) == 0);
}

Parsed<IpPacket> parse_ipv6(std::span<std::uint8_t> bytes, std::size_t rest) noexcept {
  Cursor in(bytes);
  IpPacket packet;
  packet.traffic_class = static_cast<std::uint8_t>(in.u32be() >> 20);
  std::size_t const total_bytes = kIpv6HeaderBytes + in.u16be();
  packet.protocol = in.u8();
  packet.hops = in.u8();
  ByteView const source = in.take(16), destination = in.take(16);
  if (!in.ok()) return packet_fault(PacketFault::truncated, bytes.size());
  if (total_bytes > kPacketBytesMax || !stands_in(total_bytes, bytes.size(), rest)) {
    return packet_fault(PacketFault::bad_total_bytes, 4);
  }
  if (has_link_scope(source.data()) || has_link_scope(destination.data())) {
    return packet_fault(PacketFault::link_scope, 8);
  }
  switch (packet.protocol) {
    case kFragmentHeader: return packet_fault(PacketFault::fragment, 6);
    // Hop-by-hop, routing, destination options, mobility, HIP, shim6: what RFC 9098 tells of them.
    case 0:
    case 43:
    case 60:
    case 135:
    case 139:
    case 140: return packet_fault(PacketFault::bad_header_bytes, 6);
    default: break;
  }
  packet.source = vm_of_ipv6(source.data());
  packet.destination = vm_of_ipv6(destination.data());
  packet.ip_header_bytes = kIpv6HeaderBytes;
  packet.bytes = bytes.first(std::min<std::size_t>(total_bytes, bytes.size()));
  return packet;
}

}  // namespace

Parsed<IpPacket> parse_ip_packet(std::span<std::uint8_t> bytes,
                                 std::span<iovec const> rest) noexcept {
  if (bytes.empty()) return packet_fault(PacketFault::truncated, 0);
  int const version = bytes[0] >> 4;
  if (version != 4 && version != 6) return packet_fault(PacketFault::not_ip, 0);
  std::size_t rest_bytes = 0;
  for (iovec const& piece : rest) rest_bytes += piece.iov_len;
  auto packet = version == 4 ? parse_ipv4(bytes, rest_bytes) : parse_ipv6(bytes, rest_bytes);
  if (packet && !parse_transport(*packet)) {
    return packet_fault(PacketFault::bad_transport, packet->ip_header_bytes);
  }
  if (packet) {
    packet->rest = rest;
    packet->rest_bytes = rest_bytes;
  }
  return packet;
}

void copy_packet(IpPacket const& packet, std::size_t offset, std::span<std::uint8_t> out) noexcept {
  auto take = [&](std::uint8_t const* from, std::size_t bytes) {
    std::size_t const skipped = std::min(offset, bytes);
    std::size_t const taken = std::min(bytes - skipped, out.size());
    if (taken != 0) std::memcpy(out.data(), from + skipped, taken);
    offset -= skipped;
    out = out.subspan(taken);
  };
  take(packet.bytes.data(), packet.bytes.size());
  for (iovec const& piece : packet.rest) {
    if (out.empty()) return;
    take(static_cast<std::uint8_t const*>(piece.iov_base), piece.iov_len);
  }
}

Parsed<NeighbourSolicitation> parse_neighbour_solicitation(ByteView packet) noexcept {
  Cursor in(packet);
  std::uint8_t const version = in.u8() >> 4;
  in.take(3);
  std::size_t const payload_bytes = in.u16be();
  std::uint8_t const next_header = in.u8(), hops = in.u8();
  NeighbourSolicitation result;
  result.source = in.take(16);
  in.take(16);
  std::uint16_t const type_and_code = in.u16be();
  in.take(6);
  result.target = in.take(16);
  // RFC 4861 §7.1.1: 255 hops show that no router passed it on. Type 135, code 0.
  if (!in.ok() || version != 6 || next_header != kProtocolIcmpV6 || hops != 255 ||
      type_and_code != 135 << 8 || result.target[0] == 0xff) {
    return packet_fault(PacketFault::bad_neighbour, 0);
  }
  ByteView const icmp = packet.subspan(kIpv6HeaderBytes);
  if (payload_bytes > icmp.size() ||
      checksum_fold(checksum_add(checksum_pseudo_header(packet.data(), payload_bytes),
                                 icmp.first(payload_bytes))) != 0xffff) {
    return packet_fault(PacketFault::bad_checksum, kIpv6HeaderBytes + 2);
  }
  return result;
}

namespace {

/// The header of an ICMPv6 packet that fills `packet`, and the checksum of its whole.
void finish_icmp_v6(std::span<std::uint8_t> packet) noexcept {
  std::span<std::uint8_t> const icmp = packet.subspan(kIpv6HeaderBytes);
  packet[0] = 0x60;
  put_u16be(&packet[4], static_cast<std::uint32_t>(icmp.size()));
  packet[6] = kProtocolIcmpV6;
  std::uint16_t const sum =
      checksum_finish(checksum_add(checksum_pseudo_header(packet.data(), icmp.size()), icmp));
  std::memcpy(&icmp[2], &sum, 2);
}

}  // namespace

NeighbourAdvertisement make_neighbour_advertisement(NeighbourSolicitation const& asked,
                                                    MacAddress const& answer) noexcept {
  NeighbourAdvertisement out{};
  out[7] = 255;
  std::copy(asked.target.begin(), asked.target.end(), &out[8]);
  std::copy(asked.source.begin(), asked.source.end(), &out[24]);
  std::uint8_t* icmp = &out[kIpv6HeaderBytes];
  icmp[0] = 136;
  icmp[4] = 0xe0;  // router, solicited, override
  std::copy(asked.target.begin(), asked.target.end(), icmp + 8);
  icmp[24] = 2;  // option: target link-layer address, one unit of 8 bytes
  icmp[25] = 1;
  std::copy(answer.octets.begin(), answer.octets.end(), icmp + 26);
  finish_icmp_v6(out);
  return out;
}

bool asks_services(IpPacket const& packet, Ipv4 own) noexcept {
  if (packet.protocol != kProtocolUdp || packet.is_ipv6()) return false;
  bool const is_named = packet.source == own, is_here = packet.destination == kServiceIpv4;
  if (packet.destination_port == 53) return is_named && is_here;
  bool const may = is_named || packet.source.bits == 0;  // RFC 2131 §4.1: no address yet
  return packet.destination_port == 67 && may && (is_here || packet.destination.bits == ~0u);
}

bool asks_link_services(ByteView packet) noexcept {
  if (packet.size() < kIpv6HeaderBytes + 8) return false;
  // RFC 8415 §7.1.
  constexpr std::string_view kDhcpServers("\xff\2\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16);
  if (packet[6] == kProtocolIcmpV6) return packet[kIpv6HeaderBytes] == 133;
  std::string_view const to = as_text(packet.subspan(24, 16));
  std::uint16_t const port = get_u16be(&packet[kIpv6HeaderBytes + 2]);
  bool const asks = (port == 547 && to == kDhcpServers) || (port == 53 && to == kServiceIpv6);
  return asks && packet[6] == kProtocolUdp;
}

bool apply_outer_ecn(IpPacket& packet, std::uint8_t outer_ecn) noexcept {
  constexpr std::uint8_t kNotEct = 0, kEct1 = 1, kCe = 3;
  std::uint8_t const inner = packet.traffic_class & kEcnMask;
  if (inner == kNotEct) return outer_ecn != kCe;
  // Of two markings the higher one stands, in the order ECT(0), ECT(1), CE.
  bool const raises = outer_ecn == kCe || (outer_ecn == kEct1 && inner != kCe);
  if (!raises || inner == outer_ecn) return true;
  packet.traffic_class = static_cast<std::uint8_t>((packet.traffic_class & ~kEcnMask) | outer_ecn);
  std::uint8_t* ip = packet.bytes.data();
  if (packet.is_ipv6()) {
    ip[1] = static_cast<std::uint8_t>((ip[1] & 0x0f) | packet.traffic_class << 4);
  } else {
    ip[1] = packet.traffic_class;
    set_ipv4_checksum(ip);
  }
  return true;
}

void clamp_mss(IpPacket const& packet, std::uint16_t mss_max, bool checksum_complete) noexcept {
  if (packet.protocol != kProtocolTcp || (packet.tcp_flags & 0x02) == 0) return;
  std::span<std::uint8_t> tcp = packet.transport().first(packet.transport_header_bytes);
  // Each turn passes at least one byte of at most 40.
  for (std::size_t at = 20; at < tcp.size();) {
    std::uint8_t const kind = tcp[at];
    if (kind == 0) return;
    if (kind == 1) {
      ++at;
      continue;
    }
    if (at + 1 >= tcp.size()) return;
    std::size_t const length = tcp[at + 1];
    if (length < 2 || at + length > tcp.size()) return;
    if (kind == 2 && length == 4) {
      std::uint16_t const mss = get_u16be(&tcp[at + 2]);
      if (mss <= mss_max) return;
      put_u16be(&tcp[at + 2], mss_max);
      // An odd position would need the bytes swapped in the sum; options are usually even.
      std::uint32_t before = mss, after = mss_max;
      if (at % 2 != 0) {
        before = __builtin_bswap16(mss);
        after = __builtin_bswap16(mss_max);
      }
      if (checksum_complete) {
        std::uint32_t sum = (~get_u16be(&tcp[16]) & 0xffffu) + (~before & 0xffffu) + after;
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        put_u16be(&tcp[16], ~sum & 0xffff);
      }
      return;
    }
    at += length;
  }
}

TooBig make_too_big(IpPacket const& packet, std::uint16_t mtu) noexcept {
  TooBig out;
  std::size_t const header_bytes = packet.ip_header_bytes;
  std::size_t const address_bytes = packet.is_ipv6() ? 16 : 4;
  out.size = 2 * (header_bytes + 8);
  std::uint8_t* ip = out.memory.data();
  std::uint8_t* icmp = ip + header_bytes;
  std::uint8_t const* quoted = packet.bytes.data();
  std::memcpy(icmp + 8, quoted, std::min(packet.bytes.size(), header_bytes + 8));
  // Back to the sender: the addresses, at the end of the header, change places.
  std::uint8_t const* source = quoted + header_bytes - 2 * address_bytes;
  std::memcpy(icmp - 2 * address_bytes, source + address_bytes, address_bytes);
  std::memcpy(icmp - address_bytes, source, address_bytes);
  if (packet.is_ipv6()) {
    ip[7] = 64;
    icmp[0] = 2;
    put_u32be(icmp + 4, mtu);
    finish_icmp_v6(std::span(out.memory).first(out.size));
    return out;
  }
  ip[0] = 0x45;
  put_u16be(ip + 2, static_cast<std::uint32_t>(out.size));
  ip[8] = 64;
  ip[9] = kProtocolIcmp;
  set_ipv4_checksum(ip);
  icmp[0] = 3;
  icmp[1] = 4;
  put_u16be(icmp + 6, mtu);
  std::uint16_t const sum = checksum_finish(checksum_add(0, {icmp, out.size - header_bytes}));
  std::memcpy(icmp + 2, &sum, 2);
  return out;
}

std::array<std::uint8_t, kEthernetHeaderBytes> make_ethernet_header(MacAddress const& destination,
                                                                    MacAddress const& source,
                                                                    std::uint16_t type) noexcept {
  std::array<std::uint8_t, kEthernetHeaderBytes> header{};
  std::copy(destination.octets.begin(), destination.octets.end(), header.begin());
  std::copy(source.octets.begin(), source.octets.end(), header.begin() + 6);
  put_u16be(header.data() + 12, type);
  return header;
}

void set_ip_bytes(IpPacket const& like, std::uint8_t* header, std::size_t bytes) noexcept {
  if (like.is_ipv6()) {
    put_u16be(header + 4, static_cast<std::uint32_t>(bytes - kIpv6HeaderBytes));
  } else {
    put_u16be(header + 2, static_cast<std::uint32_t>(bytes));
    set_ipv4_checksum(header);
  }
}

void set_ipv4_checksum(std::uint8_t* header) noexcept {
  header[10] = 0;
  header[11] = 0;
  std::uint16_t const sum = checksum_finish(checksum_add(0, {header, kIpv4HeaderBytes}));
  std::memcpy(header + 10, &sum, 2);
}

}  // namespace shamon
