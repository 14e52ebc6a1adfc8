#include "tunnel/offload.hpp"

#include <gtest/gtest.h>

#include "tunnel/coalescer.hpp"
#include "tunnel/packet_fixture.hpp"

namespace shamon {
namespace {

using test::make_packet;
using test::name_of;
using test::transport_checksum_holds;

VnetHeader vnet(std::uint8_t flags, std::uint8_t type, std::uint16_t segment_bytes,
                std::uint16_t start, std::uint16_t field) {
  auto low = [](std::uint16_t v) { return static_cast<std::uint8_t>(v); };
  auto high = [](std::uint16_t v) { return static_cast<std::uint8_t>(v >> 8); };
  return {flags,      type,        54,         0,          low(segment_bytes), high(segment_bytes),
          low(start), high(start), low(field), high(field)};
}

TEST(Offload, the_virtio_header_must_agree_with_the_packet) {
  struct Row {
    char const* name;
    std::uint8_t protocol;
    VnetHeader header;
    bool taken;
  };
  Row const rows[] = {
      {"nothing asked", kProtocolTcp, vnet(0, 0, 0, 0, 0), true},
      {"checksum already checked", kProtocolTcp, vnet(2, 0, 0, 0, 0), true},
      {"TCP checksum", kProtocolTcp, vnet(1, 0, 0, 34, 16), true},
      {"UDP checksum", kProtocolUdp, vnet(1, 0, 0, 34, 6), true},
      {"checksum at a wrong start", kProtocolTcp, vnet(1, 0, 0, 35, 16), false},
      {"checksum far outside", kProtocolTcp, vnet(1, 0, 0, 60000, 16), false},
      {"UDP's field in TCP", kProtocolTcp, vnet(1, 0, 0, 34, 6), false},
      {"checksum of ICMP", kProtocolIcmp, vnet(1, 0, 0, 34, 2), false},
      {"TCP segments", kProtocolTcp, vnet(1, 1, 1400, 34, 16), true},
      {"TCP segments with ECN", kProtocolTcp, vnet(1, 0x81, 1400, 34, 16), true},
      {"TCP segments of the least size", kProtocolTcp, vnet(1, 1, 64, 34, 16), true},
      {"TCP segments below it", kProtocolTcp, vnet(1, 1, 63, 34, 16), false},
      {"TCP segments of nothing", kProtocolTcp, vnet(1, 1, 0, 34, 16), false},
      {"TCP segments of UDP", kProtocolUdp, vnet(1, 1, 1400, 34, 6), false},
      {"UDP segments", kProtocolUdp, vnet(1, 5, 1400, 34, 6), true},
      {"UDP segments of TCP", kProtocolTcp, vnet(1, 5, 1400, 34, 16), false},
      {"UDP fragments, the old way", kProtocolUdp, vnet(1, 3, 1400, 34, 6), false},
      {"TCP over IPv6", kProtocolTcp, vnet(1, 4, 1400, 34, 16), false},
  };
  for (Row const& row : rows) {
    Bytes bytes = make_packet({.protocol = row.protocol, .payload_bytes = 3000});
    auto const packet = parse_ip_packet(bytes);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(parse_vnet_header(row.header, *packet).has_value(), row.taken) << row.name;
  }
  Bytes bytes = make_packet({});
  VnetHeader const whole{};
  EXPECT_FALSE(parse_vnet_header(ByteView(whole).first(9), *parse_ip_packet(bytes)).has_value());
}

TEST(Offload, a_super_packet_becomes_whole_packets_whose_payload_is_the_same) {
  struct Row {
    std::uint8_t protocol;
    std::size_t payload_bytes;
    std::uint16_t segment_bytes;
    std::size_t count;
    bool ipv6 = false;
  };
  constexpr Row kRows[] = {
      {kProtocolTcp, 1400, 1400, 1},
      {kProtocolTcp, 1401, 1400, 2},
      {kProtocolTcp, 2800, 1400, 2},
      {kProtocolTcp, 64000, 1386, 47},
      {kProtocolTcp, 129, 64, 3},
      {kProtocolUdp, 1401, 1400, 2},
      {kProtocolUdp, 10000, 1000, 10},
      {kProtocolTcp, 0, 1400, 1},
      {kProtocolTcp, 64000, 1366, 47, true},
      {kProtocolUdp, 10000, 1000, 10, true},
  };
  for (Row const& row : kRows) {
    Bytes bytes = make_packet({.protocol = row.protocol,
                               .payload_bytes = row.payload_bytes,
                               .tcp_flags = 0x99,
                               .ipv6 = row.ipv6});  // CWR ACK PSH FIN
    auto const packet = parse_ip_packet(bytes);
    ASSERT_TRUE(packet.has_value());
    auto const kind = row.protocol == kProtocolTcp ? Segmentation::tcp : Segmentation::udp;
    Segmenter const segmenter(*packet, {kind, row.segment_bytes, true});
    ASSERT_EQ(segmenter.count(), row.count);
    Bytes payload;
    for (std::size_t i = 0; i < row.count; ++i) {
      Bytes out(segmenter.bytes(i));
      segmenter.write(i, 1, out);
      auto const part = parse_ip_packet(out);
      ASSERT_TRUE(part.has_value()) << i << ": " << name_of(part.error().fault);
      EXPECT_TRUE(transport_checksum_holds(out)) << i;
      EXPECT_EQ(part->hops, 63);
      if (row.protocol == kProtocolTcp) {
        EXPECT_EQ(get_u32be(&part->transport()[4]), 1000 + i * row.segment_bytes);
        bool const first = i == 0, last = i + 1 == row.count;
        EXPECT_EQ(part->tcp_flags, 0x10 | (first ? 0x80 : 0) | (last ? 0x09 : 0)) << i;
      }
      append(payload, ByteView(out).subspan(part->headers_bytes()));
    }
    EXPECT_EQ(payload, to_bytes(ByteView(bytes).subspan(packet->headers_bytes())));
  }
}

TEST(Offload, a_rest_that_is_elsewhere_makes_the_same_packets) {
  for (bool const ipv6 : {false, true}) {
    Bytes bytes = make_packet({.payload_bytes = 10'000, .ipv6 = ipv6});
    auto const whole = parse_ip_packet(bytes);
    ASSERT_TRUE(whole.has_value());
    Offload const offload{Segmentation::tcp, 1400, true};
    Segmenter const expected(*whole, offload);
    for (std::size_t const head : {whole->headers_bytes(), std::size_t{126}, std::size_t{5000}}) {
      // Pieces of all sizes, an empty one among them.
      std::vector<iovec> rest;
      std::size_t at = head;
      for (std::size_t size = 0; at < bytes.size(); size = size * 3 + 1) {
        rest.push_back({&bytes[at], std::min(size, bytes.size() - at)});
        at += rest.back().iov_len;
      }
      auto const packet = parse_ip_packet(std::span(bytes).first(head), rest);
      ASSERT_TRUE(packet.has_value()) << head;
      EXPECT_EQ(packet->total_bytes(), bytes.size());
      Segmenter const segmenter(*packet, offload);
      ASSERT_EQ(segmenter.count(), expected.count());
      for (std::size_t i = 0; i < expected.count(); ++i) {
        Bytes one(expected.bytes(i)), other(segmenter.bytes(i));
        expected.write(i, 1, one);
        segmenter.write(i, 1, other);
        EXPECT_EQ(one, other) << head << ", " << i;
      }
    }
  }
}

TEST(Offload, a_plain_packet_keeps_its_checksum_even_a_wrong_one) {
  Bytes bytes = make_packet({});
  bytes[36] ^= 0x55;
  auto const packet = parse_ip_packet(bytes);
  ASSERT_TRUE(packet.has_value());
  Segmenter const segmenter(*packet, {});
  Bytes out(segmenter.bytes(0));
  segmenter.write(0, 0, out);
  EXPECT_EQ(out, bytes) << "what the VM damaged must arrive damaged";
}

/// A stream of segments as they come out of the tunnel.
struct Stream {
  std::vector<Bytes> packets;
  std::vector<IpPacket> parsed;
  void add(test::PacketSpec const& spec) { packets.push_back(make_packet(spec)); }
  void parse() {
    for (Bytes& packet : packets) parsed.push_back(*parse_ip_packet(packet));
  }
};

/// Forty segments become one and come apart again the same.
void expect_round_trip(bool ipv6) {
  Stream stream;
  Bytes const options{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
  for (std::uint32_t i = 0; i < 40; ++i) {
    bool const last = i == 39;
    stream.add({.payload_bytes = last ? 500u : 1386u,
                .sequence = 0xffffff00u + i * 1386,  // wraps
                .tcp_flags = static_cast<std::uint8_t>(last ? 0x18 : 0x10),
                .tcp_options = options,
                .ipv6 = ipv6});
  }
  std::vector<Bytes> const before = stream.packets;
  stream.parse();
  Coalescer coalescer;
  coalescer.begin(stream.parsed[0]);
  for (std::size_t i = 1; i < 40; ++i) ASSERT_TRUE(coalescer.append(stream.parsed[i])) << i;
  Coalescer::Chain const& chain = coalescer.take();
  EXPECT_EQ(chain.packets, 40u);
  Bytes whole;
  for (std::size_t i = 0; i < chain.part_count; ++i) {
    append(whole, {static_cast<std::uint8_t*>(chain.parts[i].iov_base), chain.parts[i].iov_len});
  }
  auto const super = parse_ip_packet(whole);
  ASSERT_TRUE(super.has_value());
  EXPECT_EQ(super->bytes.size(), chain.ip_bytes);
  Segmenter const segmenter(*super, chain.offload);
  ASSERT_EQ(segmenter.count(), 40u);
  for (std::size_t i = 0; i < 40; ++i) {
    Bytes out(segmenter.bytes(i));
    segmenter.write(i, 0, out);
    if (!ipv6) {
      put_u16be(&out[4], 0);  // the identification counts up; these began all alike
      set_ipv4_checksum(out.data());
    }
    EXPECT_EQ(out, before[i]) << i;
  }
}

TEST(Offload, segments_of_one_flow_become_one_and_come_apart_again_the_same) {
  expect_round_trip(false);
  expect_round_trip(true);
}

TEST(Offload, what_is_not_the_next_segment_of_the_flow_stays_apart) {
  struct Row {
    char const* name;
    test::PacketSpec second;
    bool joined;
  };
  test::PacketSpec const next{.payload_bytes = 1000, .sequence = 2000};
  auto with = [&](auto change) {
    test::PacketSpec spec = next;
    change(spec);
    return spec;
  };
  Row const rows[] = {
      {"the next", next, true},
      {"a shorter one", with([](auto& s) { s.payload_bytes = 999; }), true},
      {"a longer one", with([](auto& s) { s.payload_bytes = 1001; }), false},
      {"an empty one", with([](auto& s) { s.payload_bytes = 0; }), false},
      {"with a gap", with([](auto& s) { s.sequence = 2001; }), false},
      {"the same again", with([](auto& s) { s.sequence = 1000; }), false},
      {"of another port", with([](auto& s) { s.source_port = 40001; }), false},
      {"from another VM", with([](auto& s) { s.source = {0x0a4d0009}; }), false},
      {"with push", with([](auto& s) { s.tcp_flags = 0x18; }), true},
      {"with fin", with([](auto& s) { s.tcp_flags = 0x11; }), false},
      {"with reset", with([](auto& s) { s.tcp_flags = 0x14; }), false},
      {"with urgent", with([](auto& s) { s.tcp_flags = 0x30; }), false},
      {"with options", with([](auto& s) { s.tcp_options = Bytes(4, 1); }), false},
      {"after another path", with([](auto& s) { s.ttl = 63; }), false},
      {"of UDP", with([](auto& s) { s.protocol = kProtocolUdp; }), false},
  };
  for (Row const& row : rows) {
    Bytes first = make_packet({.payload_bytes = 1000, .sequence = 1000});
    Bytes second = make_packet(row.second);
    Coalescer coalescer;
    coalescer.begin(*parse_ip_packet(first));
    EXPECT_EQ(coalescer.append(*parse_ip_packet(second)), row.joined) << row.name;
  }
}

TEST(Offload, a_segment_with_a_wrong_checksum_is_never_hidden_in_a_super_packet) {
  for (int damaged : {0, 1}) {
    Bytes packets[2] = {make_packet({.payload_bytes = 1000, .sequence = 1000}),
                        make_packet({.payload_bytes = 1000, .sequence = 2000})};
    packets[damaged][500] ^= 1;
    Bytes const before = packets[0];
    Coalescer coalescer;
    coalescer.begin(*parse_ip_packet(packets[0]));
    EXPECT_FALSE(coalescer.append(*parse_ip_packet(packets[1]))) << damaged;
    EXPECT_EQ(coalescer.take().packets, 1u);
    EXPECT_EQ(packets[0], before) << "delivered as it came";
  }
}

}  // namespace
}  // namespace shamon
