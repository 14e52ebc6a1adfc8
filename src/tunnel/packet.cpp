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

/// Fills what the transport header says. The cursor stands behind the IPv4 header.
bool parse_transport(Cursor& in, Ipv4Packet& packet) noexcept {
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
    return packet_fault(PacketFault::bad_arp, 0);
  }
  return request;
}

ArpFrame make_arp_reply(ArpRequest const& request, MacAddress const& answer) noexcept {
  ArpFrame frame{};
  auto const ethernet = make_ethernet_header(request.sender_mac, answer, kEtherTypeArp);
  std::copy(ethernet.begin(), ethernet.end(), frame.begin());
  std::uint8_t* arp = frame.data() + kEthernetHeaderBytes;
  put_u16be(arp, 1);
  put_u16be(arp + 2, kEtherTypeIpv4);
  put_u16be(arp + 4, 0x0604);
  put_u16be(arp + 6, 2);
  std::copy(answer.octets.begin(), answer.octets.end(), arp + 8);
  put_u32be(arp + 14, request.target.bits);
  std::copy(request.sender_mac.octets.begin(), request.sender_mac.octets.end(), arp + 18);
  put_u32be(arp + 24, request.sender.bits);
  return frame;
}

Parsed<Ipv4Packet> parse_ipv4_packet(std::span<std::uint8_t> bytes) noexcept {
  Cursor in(bytes);
  Ipv4Packet packet;
  std::uint8_t const version = in.u8();
  in.u8();
  std::uint16_t const total_bytes = in.u16be();
  in.u16be();
  std::uint16_t const fragment = in.u16be();
  packet.ttl = in.u8();
  packet.protocol = in.u8();
  in.u16be();
  packet.source = {in.u32be()};
  packet.destination = {in.u32be()};
  if (!in.ok()) return packet_fault(PacketFault::truncated, bytes.size());
  if (version >> 4 != 4) return packet_fault(PacketFault::not_ipv4, 0);
  if (version != 0x45) return packet_fault(PacketFault::bad_header_bytes, 0);
  if (total_bytes < kIpv4HeaderBytes || total_bytes > bytes.size()) {
    return packet_fault(PacketFault::bad_total_bytes, 2);
  }
  if (checksum_fold(checksum_add(0, bytes.first(kIpv4HeaderBytes))) != 0xffff) {
    return packet_fault(PacketFault::bad_checksum, 10);
  }
  // More-fragments or an offset; DF (0x4000) and the reserved bit are no fragment.
  if ((fragment & 0x3fff) != 0) return packet_fault(PacketFault::fragment, 6);
  packet.dont_fragment = (fragment & 0x4000) != 0;
  packet.bytes = bytes.first(total_bytes);
  Cursor transport(packet.bytes.subspan(kIpv4HeaderBytes));
  if (!parse_transport(transport, packet)) {
    return packet_fault(PacketFault::bad_transport, kIpv4HeaderBytes);
  }
  return packet;
}

void clamp_mss(Ipv4Packet const& packet, std::uint16_t mss_max, bool checksum_complete) noexcept {
  if (packet.protocol != kProtocolTcp || (packet.tcp_flags & 0x02) == 0) return;
  std::span<std::uint8_t> tcp =
      packet.bytes.subspan(kIpv4HeaderBytes, packet.transport_header_bytes);
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

FragNeeded make_fragmentation_needed(Ipv4Packet const& packet, std::uint16_t mtu) noexcept {
  FragNeeded out{};
  std::uint8_t* ip = out.data();
  ip[0] = 0x45;
  put_u16be(ip + 2, kFragNeededBytes);
  ip[8] = 64;
  ip[9] = kProtocolIcmp;
  put_u32be(ip + 12, packet.destination.bits);
  put_u32be(ip + 16, packet.source.bits);
  set_ipv4_checksum(ip);
  std::uint8_t* icmp = ip + kIpv4HeaderBytes;
  icmp[0] = 3;
  icmp[1] = 4;
  put_u16be(icmp + 6, mtu);
  std::size_t const quoted = std::min(packet.bytes.size(), kIpv4HeaderBytes + 8);
  std::memcpy(icmp + 8, packet.bytes.data(), quoted);
  std::uint16_t const sum =
      checksum_finish(checksum_add(0, std::span(out).subspan(kIpv4HeaderBytes)));
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

void set_ipv4_checksum(std::uint8_t* header) noexcept {
  header[10] = 0;
  header[11] = 0;
  std::uint16_t const sum = checksum_finish(checksum_add(0, {header, kIpv4HeaderBytes}));
  std::memcpy(header + 10, &sum, 2);
}

}  // namespace shamon
