#include "tunnel/packet.hpp"

#include <gtest/gtest.h>

#include "tunnel/packet_fixture.hpp"

namespace shamon {
namespace {

using test::make_packet;
using test::name_of;

TEST(Packet, ipv4_headers_are_taken_only_whole_and_plain) {
  struct Row {
    char const* name;
    std::function<void(Bytes&)> change;
    std::optional<PacketFault> fault;
    bool mend_checksum = true;
  };
  Row const rows[] = {
      {"as it is", [](Bytes&) {}, std::nullopt},
      {"with Ethernet padding behind it", [](Bytes& p) { p.resize(p.size() + 6); }, std::nullopt},
      {"19 bytes", [](Bytes& p) { p.resize(19); }, PacketFault::truncated, false},
      {"version 5", [](Bytes& p) { p[0] = 0x55; }, PacketFault::not_ip},
      {"header of 4 words", [](Bytes& p) { p[0] = 0x44; }, PacketFault::bad_header_bytes},
      {"header with options", [](Bytes& p) { p[0] = 0x46; }, PacketFault::bad_header_bytes},
      {"total length 19", [](Bytes& p) { put_u16be(&p[2], 19); }, PacketFault::bad_total_bytes},
      {"total length one beyond the end",
       [](Bytes& p) { put_u16be(&p[2], static_cast<std::uint32_t>(p.size() + 1)); },
       PacketFault::bad_total_bytes},
      {"wrong checksum", [](Bytes& p) { p[10] ^= 1; }, PacketFault::bad_checksum, false},
      {"reserved bit only", [](Bytes& p) { put_u16be(&p[6], 0x8000); }, std::nullopt},
      {"more fragments", [](Bytes& p) { put_u16be(&p[6], 0x2000); }, PacketFault::fragment},
      {"last fragment", [](Bytes& p) { put_u16be(&p[6], 0x0001); }, PacketFault::fragment},
      {"TCP header of 16 bytes", [](Bytes& p) { p[32] = 0x40; }, PacketFault::bad_transport},
      {"TCP header beyond the packet",
       [](Bytes& p) {
         p.resize(40);
         put_u16be(&p[2], 40);
         p[32] = 0x60;
       },
       PacketFault::bad_transport},
      {"cut within TCP",
       [](Bytes& p) {
         p.resize(39);
         put_u16be(&p[2], 39);
       },
       PacketFault::bad_transport},
      {"UDP length one too long",
       [](Bytes& p) {
         p[9] = kProtocolUdp;
         put_u16be(&p[24], static_cast<std::uint32_t>(p.size() - 20 + 1));
       },
       PacketFault::bad_transport},
      {"UDP length right",
       [](Bytes& p) {
         p[9] = kProtocolUdp;
         put_u16be(&p[24], static_cast<std::uint32_t>(p.size() - 20));
       },
       std::nullopt},
      {"ICMP of 7 bytes",
       [](Bytes& p) {
         p.resize(27);
         put_u16be(&p[2], 27);
         p[9] = kProtocolIcmp;
       },
       PacketFault::bad_transport},
      {"a protocol without ports", [](Bytes& p) { p[9] = 89; }, std::nullopt},
  };
  for (Row const& row : rows) {
    Bytes packet = make_packet({});
    row.change(packet);
    if (row.mend_checksum) set_ipv4_checksum(packet.data());
    auto const parsed = parse_ip_packet(packet);
    if (row.fault) {
      ASSERT_FALSE(parsed.has_value()) << row.name;
      EXPECT_EQ(parsed.error().fault, *row.fault)
          << row.name << ", not " << name_of(parsed.error().fault);
    } else {
      ASSERT_TRUE(parsed.has_value()) << row.name << ": " << name_of(parsed.error().fault);
      EXPECT_EQ(parsed->source, test::kFrom) << row.name;
    }
  }
}

TEST(Packet, the_service_of_an_answer_has_its_source_port_but_that_of_an_opening_has_not) {
  struct Row {
    std::uint8_t protocol;
    std::uint8_t tcp_flags;
    Service service;
  };
  constexpr Row kRows[] = {
      {kProtocolTcp, 0x02, {6, 9000, 0}},     {kProtocolTcp, 0x12, {6, 9000, 40000}},
      {kProtocolTcp, 0x10, {6, 9000, 40000}}, {kProtocolTcp, 0x04, {6, 9000, 40000}},
      {kProtocolUdp, 0, {17, 9000, 40000}},   {kProtocolIcmp, 0, {1, 0, 0}},
  };
  for (Row const& row : kRows) {
    Bytes packet = make_packet({.protocol = row.protocol, .tcp_flags = row.tcp_flags});
    auto const parsed = parse_ip_packet(packet);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->service(), row.service) << int{row.protocol} << " " << int{row.tcp_flags};
  }
}

TEST(Packet, arp_is_answered_for_ipv4_requests_only) {
  ArpRequest const request{test::kMac, test::kFrom, test::kTo};
  ArpReply reply = make_arp_reply(request, MacAddress{{2, 1, 1, 1, 1, 1}});
  EXPECT_FALSE(parse_arp_request(reply).has_value()) << "a reply is no request";
  reply[7] = 1;
  auto const again = parse_arp_request(reply);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->sender, test::kTo) << "the reply speaks for the target";
  EXPECT_EQ(again->target, test::kFrom);
  EXPECT_FALSE(parse_arp_request(ByteView(reply).first(27)).has_value());
  reply[5] = 16;
  EXPECT_FALSE(parse_arp_request(reply).has_value()) << "protocol address of 16";
}

TEST(Packet, the_mss_of_a_syn_is_lowered_never_raised_and_its_checksum_stays_right) {
  struct Row {
    char const* name;
    std::uint8_t flags;
    Bytes options;
    std::uint16_t clamp;
    std::size_t at;  ///< of the value within the options; 0: nothing may change
    std::uint16_t mss;
  };
  Row const rows[] = {
      {"lowered", 0x02, {2, 4, 0x05, 0xb4}, 1398, 2, 1398},
      {"of a SYN-ACK too", 0x12, {2, 4, 0x05, 0xb4}, 1398, 2, 1398},
      {"behind padding at an odd place", 0x02, {1, 2, 4, 0x05, 0xb4, 1, 1, 1}, 1398, 3, 1398},
      {"equal", 0x02, {2, 4, 0x05, 0x76}, 1398, 0, 0},
      {"lower", 0x02, {2, 4, 0x02, 0x18}, 1398, 0, 0},
      {"not a SYN", 0x10, {2, 4, 0x05, 0xb4}, 1398, 0, 0},
      {"behind the end of options", 0x02, {0, 2, 4, 0x05, 0xb4, 0, 0, 0}, 1398, 0, 0},
      {"option of size 0", 0x02, {8, 0, 2, 4, 0x05, 0xb4, 0, 0}, 1398, 0, 0},
      {"option beyond the header", 0x02, {3, 9, 2, 4}, 1398, 0, 0},
      {"option cut after its kind", 0x02, {1, 1, 1, 2}, 1398, 0, 0},
  };
  for (Row const& row : rows) {
    Bytes packet = make_packet({.tcp_flags = row.flags, .tcp_options = row.options});
    Bytes const before = packet;
    auto const parsed = parse_ip_packet(packet);
    ASSERT_TRUE(parsed.has_value()) << row.name;
    clamp_mss(*parsed, row.clamp, true);
    EXPECT_TRUE(test::transport_checksum_holds(packet)) << row.name;
    if (row.at == 0) {
      EXPECT_EQ(packet, before) << row.name;
    } else {
      EXPECT_EQ(get_u16be(&packet[40 + row.at]), row.mss) << row.name;
    }
  }
}

TEST(Packet, too_big_quotes_the_packet_and_tells_the_mtu) {
  for (bool ipv6 : {false, true}) {
    SCOPED_TRACE(ipv6 ? "IPv6" : "IPv4");
    Bytes packet = make_packet({.ipv6 = ipv6});
    auto const parsed = parse_ip_packet(packet);
    ASSERT_TRUE(parsed.has_value());
    TooBig answer = make_too_big(*parsed, 1438);
    auto const reply = parse_ip_packet(std::span(answer.memory).first(answer.size));
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->source, test::kTo);
    EXPECT_EQ(reply->destination, test::kFrom);
    EXPECT_EQ(reply->protocol, ipv6 ? kProtocolIcmpV6 : kProtocolIcmp);
    ByteView const icmp = reply->transport();
    std::uint64_t const pseudo =
        ipv6 ? checksum_pseudo_header(reply->bytes.data(), icmp.size()) : 0;
    EXPECT_EQ(checksum_fold(checksum_add(pseudo, icmp)), 0xffff);
    EXPECT_EQ(get_u16be(&icmp[6]), 1438);
    EXPECT_EQ(icmp[0], ipv6 ? 2 : 3);
    EXPECT_TRUE(std::equal(icmp.begin() + 8, icmp.end(), packet.begin()));
  }
}

TEST(Packet, ipv6_headers_are_taken_only_whole_and_plain) {
  struct Row {
    char const* name;
    std::function<void(Bytes&)> change;
    std::optional<PacketFault> fault;
  };
  Row const rows[] = {
      {"as it is", [](Bytes&) {}, std::nullopt},
      {"with Ethernet padding behind it", [](Bytes& p) { p.resize(p.size() + 6); }, std::nullopt},
      {"39 bytes", [](Bytes& p) { p.resize(39); }, PacketFault::truncated},
      {"payload one beyond the end",
       [](Bytes& p) { put_u16be(&p[4], static_cast<std::uint32_t>(p.size() - 39)); },
       PacketFault::bad_total_bytes},
      {"fragment header", [](Bytes& p) { p[6] = 44; }, PacketFault::fragment},
      {"hop-by-hop options", [](Bytes& p) { p[6] = 0; }, PacketFault::bad_header_bytes},
      {"routing header", [](Bytes& p) { p[6] = 43; }, PacketFault::bad_header_bytes},
      {"destination options", [](Bytes& p) { p[6] = 60; }, PacketFault::bad_header_bytes},
      {"from a link-local address", [](Bytes& p) { put_u32be(&p[8], 0xfe800000); },
       PacketFault::link_scope},
      {"to a multicast address", [](Bytes& p) { put_u32be(&p[24], 0xff020000); },
       PacketFault::link_scope},
      {"from the unspecified address", [](Bytes& p) { std::fill_n(&p[8], 16, std::uint8_t{0}); },
       PacketFault::link_scope},
      {"cut within TCP",
       [](Bytes& p) {
         p.resize(59);
         put_u16be(&p[4], 19);
       },
       PacketFault::bad_transport},
  };
  for (Row const& row : rows) {
    Bytes packet = make_packet({.ipv6 = true});
    row.change(packet);
    auto const parsed = parse_ip_packet(packet);
    ASSERT_EQ(parsed.has_value(), !row.fault) << row.name;
    if (row.fault) {
      EXPECT_EQ(parsed.error().fault, *row.fault) << row.name;
    }
  }
  Bytes packet = make_packet({.ipv6 = true});
  auto const parsed = parse_ip_packet(packet);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->source, test::kFrom) << "the VM its prefix stands for";
  EXPECT_EQ(parsed->destination_port, 9000);
  put_u32be(&packet[8], 0x20010db8);
  EXPECT_EQ(parse_ip_packet(packet)->source, Ipv4{}) << "any other prefix is no VM's";
}

TEST(Packet, a_neighbour_is_told_only_to_who_asks_rightly) {
  // A solicitation for fd53:4841:a4d:2::1 from fe80::1.
  auto const make = [] {
    Bytes p(kIpv6HeaderBytes + 24);
    put_u32be(&p[0], 0x60000000);
    put_u16be(&p[4], 24);
    p[6] = kProtocolIcmpV6;
    p[7] = 255;
    put_u32be(&p[8], 0xfe800000);
    p[23] = 1;
    put_u32be(&p[24], 0xff020000);
    p[40] = 135;
    put_u32be(&p[48], kVmPrefix);
    put_u32be(&p[52], test::kTo.bits);
    p[63] = 1;
    return p;
  };
  struct Row {
    char const* name;
    std::function<void(Bytes&)> change;
    bool answered;
    bool mend_checksum = true;
  };
  Row const rows[] = {
      {"as it is", [](Bytes&) {}, true},
      {"254 hops: it was routed", [](Bytes& p) { p[7] = 254; }, false},
      {"an advertisement", [](Bytes& p) { p[40] = 136; }, false},
      {"a router solicitation", [](Bytes& p) { p[40] = 133; }, false},
      {"for a multicast address", [](Bytes& p) { p[48] = 0xff; }, false},
      {"code 1", [](Bytes& p) { p[41] = 1; }, false},
      {"cut", [](Bytes& p) { p.resize(p.size() - 1); }, false, false},
      {"wrong checksum", [](Bytes& p) { p[42] ^= 1; }, false, false},
  };
  for (Row const& row : rows) {
    Bytes p = make();
    auto const mend = [&p] {
      p[42] = p[43] = 0;
      std::uint16_t const sum = checksum_finish(
          checksum_add(checksum_pseudo_header(p.data(), 24), ByteView(p).subspan(40, 24)));
      std::memcpy(&p[42], &sum, 2);
    };
    mend();
    row.change(p);
    if (row.mend_checksum) mend();
    auto const asked = parse_neighbour_solicitation(p);
    ASSERT_EQ(asked.has_value(), row.answered) << row.name;
    if (!asked) continue;
    NeighbourAdvertisement const told = make_neighbour_advertisement(*asked, test::kMac);
    ByteView const icmp = ByteView(told).subspan(kIpv6HeaderBytes);
    EXPECT_EQ(checksum_fold(checksum_add(checksum_pseudo_header(told.data(), 32), icmp)), 0xffff);
    EXPECT_TRUE(std::equal(&told[24], &told[40], &p[8])) << "to who asked";
    EXPECT_TRUE(std::equal(&icmp[8], &icmp[24], &p[48])) << "about what was asked";
    EXPECT_TRUE(std::equal(test::kMac.octets.begin(), test::kMac.octets.end(), &icmp[26]));
  }
}

TEST(Packet, congestion_on_the_way_is_told_as_rfc_6040_says) {
  // Figure 4 of RFC 6040: rows by inner, columns by outer Not-ECT, ECT(1), ECT(0), CE; -1: drop.
  constexpr int kExpected[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};
  for (bool ipv6 : {false, true}) {
    for (std::uint8_t inner = 0; inner < 4; ++inner) {
      for (std::uint8_t outer = 0; outer < 4; ++outer) {
        auto const before = static_cast<std::uint8_t>(46 << 2 | inner);
        Bytes memory = make_packet({.ipv6 = ipv6, .traffic_class = before});
        auto packet = parse_ip_packet(memory);
        ASSERT_TRUE(packet.has_value());
        bool const kept = apply_outer_ecn(*packet, outer);
        int const expected = kExpected[inner][outer];
        ASSERT_EQ(kept, expected >= 0) << int{inner} << int{outer};
        if (!kept) continue;
        auto const after = parse_ip_packet(memory);
        ASSERT_TRUE(after.has_value()) << "and the header checksum is right";
        EXPECT_EQ(after->traffic_class, 46 << 2 | expected) << "the DSCP stays the sender's";
      }
    }
  }
}

}  // namespace
}  // namespace shamon
