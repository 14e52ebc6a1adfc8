// Super-packets whose payload is still where their sender has it, through whole gates.
#include "tunnel/forwarder.hpp"

#include <gtest/gtest.h>

#include "tunnel/forwarder_fixture.hpp"

namespace shamon {
namespace {

using test::kFrom;
using test::kTo;
using test::TestGate;

/// Keeps what it is given: the virtio-net header and the frame.
class Keeper final : public PortDriver {
 public:
  int fd() const noexcept override { return -1; }
  bool offloads() const noexcept override { return true; }
  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t>) noexcept override {
    return tl::unexpected<Outcome>(Outcome::busy);
  }
  Outcome send(VnetHeader const& header, std::span<iovec> parts) noexcept override {
    headers.push_back(header);
    Bytes& frame = frames.emplace_back();
    for (iovec const& part : parts.subspan(1)) {
      append(frame, {static_cast<std::uint8_t const*>(part.iov_base), part.iov_len});
    }
    return Outcome::done;
  }
  std::vector<VnetHeader> headers;
  std::vector<Bytes> frames;
};

struct SuperPacket {
  Bytes bytes = test::make_packet({.payload_bytes = 5000});
  VnetHeader header = make_vnet_header({Segmentation::tcp, 1300, true}, *parse_ip_packet(bytes));
  Bytes head;  ///< Ethernet and the packet's headers
  std::array<iovec, 2> rest{};

  SuperPacket() {
    auto const ethernet = make_ethernet_header(kGateMac, test::kMac, kEtherTypeIpv4);
    head.assign(ethernet.begin(), ethernet.end());
    append(head, ByteView(bytes).first(40));
    rest = {iovec{&bytes[40], 1700}, iovec{&bytes[1740], bytes.size() - 1740}};
  }
  PortDriver::Frame frame() { return {header, head, rest}; }
};

/// A keeper at a new port.
std::pair<Port*, Keeper*> attach(TestGate& gate, std::uint32_t id, Ipv4 address) {
  auto driver = std::make_unique<Keeper>();
  Keeper* const keeper = driver.get();
  return {gate.attach(id, "v" + std::to_string(id), "green", address, std::move(driver)), keeper};
}

TEST(Forwarder, who_tries_every_port_is_told_of_once_where_no_port_could_help) {
  struct Row {
    char const* label;
    std::size_t records;
  };
  // Red may not reach green; blue may, at one port.
  for (Row const& row : {Row{"red", 1}, Row{"blue", 50}}) {
    TestGate gate(test::kThreeLabels);
    test::Vm const from = gate.attach(1, "scanner", row.label, kFrom);
    test::Vm const to = gate.attach(2, "green", "green", kTo);
    auto const send = [&](std::uint16_t port) {
      from.send_packet(test::make_packet({.protocol = kProtocolUdp, .destination_port = port}));
      gate.turn(from);
    };
    for (std::uint16_t port = 1; port <= 50; ++port) send(port);
    EXPECT_EQ(gate.count_audits(Hook::flow_out, Verdict::deny), row.records) << row.label;
    EXPECT_EQ(from.port->counters.dropped_policy, 50u);
    EXPECT_FALSE(to.receive().has_value());
    gate.forwarder.tell_repeats(gate.now);
    std::uint64_t told = 0;
    for (gate::Audit const& audit : gate.audits) {
      if (audit.verdict != static_cast<std::uint32_t>(Verdict::allow)) told += audit.count;
    }
    EXPECT_EQ(told, 50u) << row.label;
    send(9000);
    EXPECT_EQ(to.receive().has_value(), row.label == std::string("blue"));
  }
}

TEST(Forwarder, a_rest_elsewhere_reaches_another_port_here_as_it_is) {
  TestGate gate(test::kThreeLabels);
  Port* const from = attach(gate, 1, kFrom).first;
  Keeper const& to = *attach(gate, 2, kTo).second;
  SuperPacket packet;
  gate.forwarder.from_port(*from, packet.frame(), gate.now);
  ASSERT_EQ(to.frames.size(), 1u);
  EXPECT_EQ(to.headers[0], packet.header);
  EXPECT_EQ(to_bytes(ByteView(to.frames[0]).subspan(kEthernetHeaderBytes)), packet.bytes);
  EXPECT_EQ(from->counters.packets_in, 4u);
  EXPECT_EQ(from->counters.bytes_in, packet.bytes.size());
}

TEST(Forwarder, a_rest_elsewhere_reaches_another_machine_whole) {
  TestGate a(test::kThreeLabels), b(test::kThreeLabels);
  a.open(1, "b", "green", 1, 2);
  b.open(1, "a", "green", 2, 1);
  Port* const from = attach(a, 1, kFrom).first;
  Keeper const& to = *attach(b, 2, kTo).second;
  a.route(kTo, "v2", "green", "b");
  b.route(kFrom, "v1", "green", "a");
  SuperPacket packet;
  a.forwarder.from_port(*from, packet.frame(), a.now);
  a.forwarder.end_of_turn(a.now);
  b.receive_from(a);
  ASSERT_EQ(to.frames.size(), 1u) << "coalesced again";
  std::size_t const headers_bytes = kEthernetHeaderBytes + 40;
  ASSERT_EQ(to.frames[0].size(), kEthernetHeaderBytes + packet.bytes.size());
  EXPECT_TRUE(std::equal(packet.bytes.begin() + 40, packet.bytes.end(),
                         to.frames[0].begin() + static_cast<std::ptrdiff_t>(headers_bytes)));
}

TEST(Forwarder, a_rest_of_another_length_than_the_packet_says_is_malformed) {
  TestGate gate(test::kThreeLabels);
  Port* const from = attach(gate, 1, kFrom).first;
  Keeper const& to = *attach(gate, 2, kTo).second;
  for (std::size_t const last : {std::size_t{0}, std::size_t{1}, std::size_t{70'000}}) {
    SuperPacket packet;
    packet.rest[1].iov_len = last;
    gate.forwarder.from_port(*from, packet.frame(), gate.now);
  }
  EXPECT_TRUE(to.frames.empty());
  EXPECT_EQ(from->counters.dropped_malformed, 3u);
}

}  // namespace
}  // namespace shamon
