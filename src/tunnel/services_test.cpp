// What the gate hands up to the host monitor's services, and what it gives back.
#include <gtest/gtest.h>

#include "tunnel/forwarder_fixture.hpp"

namespace shamon {
namespace {

using test::TestGate;

constexpr Ipv4 kOwn{0x0a4d0001}, kOther{0x0a4d0002}, kEverybody{~0u};

struct Row4 {
  char const* name;
  Ipv4 source, destination;
  std::uint16_t port;
  bool served;
  std::uint8_t protocol = kProtocolUdp;
};
constexpr Row4 kRows4[] = {
    {"DHCP without an address", {}, kEverybody, 67, true},
    {"DHCP renewal", kOwn, kServiceIpv4, 67, true},
    {"DHCP with an address to everybody", kOwn, kEverybody, 67, true},
    {"DHCP from another's address", kOther, kEverybody, 67, false},
    {"DHCP to another VM", kOwn, kOther, 67, false},
    {"DHCP to another VM without an address", {}, kOther, 67, false},
    {"the client's port", {}, kEverybody, 68, false},
    {"DHCP over TCP", {}, kEverybody, 67, false, kProtocolTcp},
    {"DNS", kOwn, kServiceIpv4, 53, true},
    {"DNS over TCP", kOwn, kServiceIpv4, 53, false, kProtocolTcp},
    {"DNS to another VM", kOwn, kOther, 53, false},
    {"DNS to everybody", kOwn, kEverybody, 53, false},
    {"DNS without an address", {}, kServiceIpv4, 53, false},
    {"DNS from another's address", kOther, kServiceIpv4, 53, false},
    {"another port", kOwn, kServiceIpv4, 54, false},
};

Bytes make_packet4(Row4 const& row) {
  return test::make_packet({.protocol = row.protocol,
                            .source = row.source,
                            .destination = row.destination,
                            .destination_port = row.port});
}

TEST(Services, of_ipv4_get_what_asks_for_them_and_nothing_else) {
  for (bool attached : {true, false}) {
    for (Row4 const& row : kRows4) {
      TestGate gate(test::kThreeLabels);
      test::Vm const vm = gate.attach(7, "green", "green", kOwn);
      gate.serves = attached;
      vm.send_packet(make_packet4(row));
      gate.turn(vm);
      ASSERT_EQ(gate.asked.size(), row.served && attached ? 1u : 0u) << row.name;
      Counters const& counted = vm.port->counters;
      std::uint64_t const dropped =
          counted.dropped_spoof + counted.dropped_no_route + counted.dropped_policy;
      EXPECT_EQ(dropped, gate.asked.empty() ? 1u : 0u) << row.name;
      if (gate.asked.empty()) continue;
      EXPECT_EQ(gate.asked[0].first, PortId(7));
      Bytes const packet = make_packet4(row);
      EXPECT_TRUE(std::equal(packet.begin(), packet.end(),
                             gate.asked[0].second.begin() + kEthernetHeaderBytes))
          << "whole, as it came";
      EXPECT_TRUE(gate.audits.empty() || gate.count_audits(Hook::flow_out, Verdict::deny) == 0);
    }
  }
}

Bytes make_frame6(std::uint8_t next_header, std::string_view to, std::uint16_t word,
                  std::uint16_t port) {
  Bytes packet(kIpv6HeaderBytes + 8);
  packet[0] = 0x60;
  packet[5] = 8;
  packet[6] = next_header;
  packet[7] = 255;
  put_u32be(&packet[8], 0xfe800000);
  packet[23] = 1;
  std::copy(to.begin(), to.end(), &packet[24]);
  put_u16be(&packet[40], word);
  put_u16be(&packet[42], port);
  put_u16be(&packet[44], 8);
  return packet;
}

TEST(Services, of_ipv6_get_what_asks_for_them_and_nothing_else) {
  constexpr std::string_view kServers("\xff\2\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16);
  constexpr std::string_view kRouters("\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16);
  struct Row {
    char const* name;
    std::uint8_t next_header;
    std::string_view to;
    std::uint16_t word, port;
    bool served;
  };
  constexpr Row kRows[] = {
      {"router solicitation", kProtocolIcmpV6, kRouters, 133 << 8, 0, true},
      {"router advertisement", kProtocolIcmpV6, kRouters, 134 << 8, 0, false},
      {"echo request", kProtocolIcmpV6, kServiceIpv6, 128 << 8, 0, false},
      {"DHCPv6", kProtocolUdp, kServers, 546, 547, true},
      {"DHCPv6 to all routers", kProtocolUdp, kRouters, 546, 547, false},
      {"DNS", kProtocolUdp, kServiceIpv6, 40000, 53, true},
      {"DNS to all routers", kProtocolUdp, kRouters, 40000, 53, false},
      {"DNS over TCP", kProtocolTcp, kServiceIpv6, 40000, 53, false},
      {"multicast DNS", kProtocolUdp, kRouters, 5353, 5353, false},
  };
  for (Row const& row : kRows) {
    TestGate gate(test::kThreeLabels);
    test::Vm const vm = gate.attach(7, "green", "green", kOwn);
    gate.serves = true;
    Bytes const packet = make_frame6(row.next_header, row.to, row.word, row.port);
    auto const header = make_ethernet_header(kGateMac, vm.port->mac, kEtherTypeIpv6);
    Bytes frame(header.begin(), header.end());
    append(frame, packet);
    vm.send(frame);
    frame[11] ^= 1;  // and the same with another's MAC
    vm.send(frame);
    frame[11] ^= 1;
    frame.resize(frame.size() - 1);  // and cut off
    vm.send(frame);
    gate.turn(vm);
    EXPECT_EQ(gate.asked.size(), row.served ? 1u : 0u) << row.name;
    EXPECT_EQ(vm.port->counters.dropped_spoof, 1u) << row.name;
    EXPECT_EQ(vm.port->counters.dropped_no_route + vm.port->counters.dropped_malformed,
              row.served ? 1u : 2u)
        << row.name;
  }
}

TEST(Services, speak_as_the_gate_or_not_at_all) {
  TestGate gate(test::kThreeLabels);
  test::Vm const vm = gate.attach(7, "green", "green", kOwn);
  auto const header = make_ethernet_header(vm.port->mac, kGateMac, kEtherTypeIpv4);
  Bytes frame(header.begin(), header.end());
  frame.resize(60);
  gate.forwarder.from_services(*vm.port, frame);
  EXPECT_EQ(vm.receive(), frame);
  frame[6] ^= 4;
  gate.forwarder.from_services(*vm.port, frame);
  gate.forwarder.from_services(*vm.port, std::span(frame).first(13));
  EXPECT_FALSE(vm.receive().has_value());
  EXPECT_EQ(gate.forwarder.stray().dropped_spoof, 2u);
  EXPECT_EQ(vm.port->counters.dropped_spoof, 0u) << "the VM did nothing";
}

TEST(Services, are_not_reached_from_another_machine) {
  TestGate a(test::kThreeLabels), b(test::kThreeLabels);
  test::Vm const from = a.attach(1, "from", "green", kOther);
  b.serves = true;
  a.route(kServiceIpv4, "to", "green", "b");
  a.open(1, "b", "green", 1, 2);
  b.route(kOther, "from", "green", "a");
  b.open(1, "a", "green", 2, 1);
  from.send_packet(test::make_packet({.protocol = kProtocolUdp,
                                      .source = kOther,
                                      .destination = kServiceIpv4,
                                      .destination_port = 53}));
  a.turn(from);
  ASSERT_EQ(a.sent.size(), 1u);
  b.receive_from(a);
  EXPECT_TRUE(b.asked.empty());
  EXPECT_EQ(b.associations.find(AssociationId(1))->counters.dropped_no_route, 1u);
}

}  // namespace
}  // namespace shamon
