// Packets the tests of this folder start from. Not for production code.
#pragma once

#include <cstring>

#include "tunnel/checksum.hpp"
#include "tunnel/packet.hpp"

namespace shamon::test {

inline constexpr Ipv4 kFrom{0x0a4d0001};  // 10.77.0.1
inline constexpr Ipv4 kTo{0x0a4d0002};    // 10.77.0.2
inline constexpr MacAddress kMac{{2, 0, 10, 77, 0, 1}};

struct PacketSpec {
  std::uint8_t protocol = kProtocolTcp;
  std::size_t payload_bytes = 100;
  Ipv4 source = kFrom;
  Ipv4 destination = kTo;
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 9000;
  std::uint32_t sequence = 1000;
  std::uint8_t tcp_flags = 0x10;
  Bytes tcp_options{};
  std::uint8_t ttl = 64;
  bool ipv6 = false;
  std::uint8_t traffic_class = 0;
};

inline std::size_t ip_header_of(ByteView packet) {
  return packet[0] >> 4 == 6 ? kIpv6HeaderBytes : kIpv4HeaderBytes;
}

/// True if the transport checksum of a whole IP packet holds.
inline bool transport_checksum_holds(ByteView packet) {
  ByteView const transport = packet.subspan(ip_header_of(packet));
  return checksum_fold(checksum_add(checksum_pseudo_header(packet.data(), transport.size()),
                                    transport)) == 0xffff;
}

/// A valid packet with a payload that counts up.
inline Bytes make_packet(PacketSpec const& spec) {
  std::size_t const header_bytes = spec.protocol == kProtocolTcp ? 20 + spec.tcp_options.size() : 8;
  std::size_t const ip_bytes = spec.ipv6 ? kIpv6HeaderBytes : kIpv4HeaderBytes;
  Bytes out(ip_bytes + header_bytes + spec.payload_bytes);
  if (spec.ipv6) {
    put_u32be(&out[0], 0x60000000u | std::uint32_t{spec.traffic_class} << 20 | 0x12345);
    put_u16be(&out[4], static_cast<std::uint32_t>(out.size() - ip_bytes));
    out[6] = spec.protocol == kProtocolIcmp ? kProtocolIcmpV6 : spec.protocol;
    out[7] = spec.ttl;
    for (auto [at, vm] : {std::pair{8u, spec.source}, std::pair{24u, spec.destination}}) {
      put_u32be(&out[at], kVmPrefix);
      put_u32be(&out[at + 4], vm.bits);
      out[at + 15] = 1;
    }
  } else {
    out[0] = 0x45;
    out[1] = spec.traffic_class;
    put_u16be(&out[2], static_cast<std::uint32_t>(out.size()));
    put_u16be(&out[6], 0x4000);
    out[8] = spec.ttl;
    out[9] = spec.protocol;
    put_u32be(&out[12], spec.source.bits);
    put_u32be(&out[16], spec.destination.bits);
    set_ipv4_checksum(out.data());
  }
  std::uint8_t* transport = &out[ip_bytes];
  put_u16be(transport, spec.source_port);
  put_u16be(transport + 2, spec.destination_port);
  for (std::size_t i = 0; i < spec.payload_bytes; ++i) {
    out[ip_bytes + header_bytes + i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  }
  std::size_t field = 16;
  if (spec.protocol == kProtocolTcp) {
    put_u32be(transport + 4, spec.sequence);
    put_u32be(transport + 8, 77);
    transport[12] = static_cast<std::uint8_t>(header_bytes / 4 << 4);
    transport[13] = spec.tcp_flags;
    put_u16be(transport + 14, 512);
    std::copy(spec.tcp_options.begin(), spec.tcp_options.end(), transport + 20);
  } else if (spec.protocol == kProtocolUdp) {
    put_u16be(transport + 4, static_cast<std::uint32_t>(8 + spec.payload_bytes));
    field = 6;
  } else {
    // An echo request; only the checksum of ICMPv6 has a pseudo header.
    transport[0] = spec.ipv6 ? 128 : 8;
    transport[1] = 0;
    put_u16be(transport + 2, 0);
    std::uint64_t const first =
        spec.ipv6 ? checksum_pseudo_header(out.data(), out.size() - ip_bytes) : 0;
    std::uint16_t const sum = checksum_finish(checksum_add(first, ByteView(out).subspan(ip_bytes)));
    std::memcpy(transport + 2, &sum, 2);
    return out;
  }
  std::uint64_t const pseudo = checksum_pseudo_header(out.data(), out.size() - ip_bytes);
  std::uint16_t const sum = checksum_finish(checksum_add(pseudo, ByteView(out).subspan(ip_bytes)));
  std::memcpy(transport + field, &sum, 2);
  return out;
}

inline char const* name_of(PacketFault fault) noexcept {
  switch (fault) {
    case PacketFault::truncated: return "truncated";
    case PacketFault::not_ip: return "not IP";
    case PacketFault::bad_header_bytes: return "bad header length";
    case PacketFault::bad_total_bytes: return "bad total length";
    case PacketFault::bad_checksum: return "bad header checksum";
    case PacketFault::fragment: return "fragment";
    case PacketFault::bad_transport: return "bad transport header";
    case PacketFault::bad_offload: return "bad offload header";
    case PacketFault::bad_neighbour: return "bad neighbour discovery";
    case PacketFault::link_scope: return "link scope";
    case PacketFault::bad_esp: return "bad ESP";
    case PacketFault::not_esp: return "not ESP";
  }
  return "?";
}

}  // namespace shamon::test
