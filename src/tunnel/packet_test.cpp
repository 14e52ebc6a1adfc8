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
      {"version 6", [](Bytes& p) { p[0] = 0x65; }, PacketFault::not_ipv4},
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
    auto const parsed = parse_ipv4_packet(packet);
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
    auto const parsed = parse_ipv4_packet(packet);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->service(), row.service) << int{row.protocol} << " " << int{row.tcp_flags};
  }
}

TEST(Packet, arp_is_answered_for_ipv4_requests_only) {
  ArpRequest const request{test::kMac, test::kFrom, test::kTo};
  ArpFrame frame = make_arp_reply(request, MacAddress{{2, 1, 1, 1, 1, 1}});
  auto const ethernet = parse_ethernet(frame);
  ASSERT_TRUE(ethernet.has_value());
  EXPECT_EQ(ethernet->type, kEtherTypeArp);
  EXPECT_EQ(ethernet->destination, test::kMac);
  EXPECT_FALSE(parse_arp_request(ethernet->payload).has_value()) << "a reply is no request";
  ethernet->payload[7] = 1;
  auto const again = parse_arp_request(ethernet->payload);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->sender, test::kTo) << "the reply speaks for the target";
  EXPECT_EQ(again->target, test::kFrom);
  EXPECT_FALSE(parse_arp_request(ethernet->payload.first(27)).has_value());
  ethernet->payload[5] = 16;
  EXPECT_FALSE(parse_arp_request(ethernet->payload).has_value()) << "protocol address of 16";
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
    auto const parsed = parse_ipv4_packet(packet);
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

TEST(Packet, fragmentation_needed_quotes_the_packet_and_tells_the_mtu) {
  Bytes packet = make_packet({});
  auto const parsed = parse_ipv4_packet(packet);
  ASSERT_TRUE(parsed.has_value());
  FragNeeded answer = make_fragmentation_needed(*parsed, 1438);
  auto const reply = parse_ipv4_packet(answer);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->destination, test::kFrom);
  EXPECT_EQ(reply->protocol, kProtocolIcmp);
  ByteView const icmp = ByteView(answer).subspan(20);
  EXPECT_EQ(checksum_fold(checksum_add(0, icmp)), 0xffff);
  EXPECT_EQ(get_u16be(&icmp[6]), 1438);
  EXPECT_TRUE(std::equal(icmp.begin() + 8, icmp.end(), packet.begin()));
}

}  // namespace
}  // namespace shamon
