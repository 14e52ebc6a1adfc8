// Every path on which information can move between two VMs, and the hook that mediates it. A new
// path needs a row here: its refused case must be audited under its hook.
#include <gtest/gtest.h>

#include "monitor/audit_text.hpp"
#include "tunnel/forwarder_fixture.hpp"

namespace shamon {
namespace {

using test::kThreeLabels;
using test::TestGate;

constexpr Ipv4 kGreen{0x0a4d0001}, kRed{0x0a4d0002}, kGreenAway{0x0a4d0011};

struct Path {
  char const* name;
  Hook hook;
  /// Tries it from red to green; true if anything arrived.
  std::function<bool(TestGate&)> attempt;
};

template <class Op>
std::function<bool(TestGate&)> ask(std::function<Op(TestGate&)> operation) {
  return [operation](TestGate& gate) {
    return gate.monitor.authorize(operation(gate), WallTime{}).has_value();
  };
}

bool red_packet_arrives_here(TestGate& gate) {
  test::Vm const red = gate.attach(1, "red", "red", kRed);
  test::Vm const green = gate.attach(2, "green", "green", kGreen);
  red.send_packet(test::make_packet({.source = kRed, .destination = kGreen}));
  gate.turn(red);
  return green.receive().has_value();
}

bool red_packet_leaves(TestGate& gate) {
  test::Vm const red = gate.attach(1, "red", "red", kRed);
  gate.route(kGreenAway, "far", "green", "b");
  gate.open(1, "b", "red", 1, 2);
  gate.open(2, "b", "green", 3, 4);
  red.send_packet(test::make_packet({.source = kRed, .destination = kGreenAway}));
  gate.turn(red);
  return !gate.sent.empty();
}

bool red_packet_arrives_from_away(TestGate& gate) {
  // The sending machine has a policy of its own, which lets red out.
  TestGate careless(std::string(kThreeLabels) + "allow red -> green\n");
  test::Vm const red = careless.attach(1, "red", "red", kRed);
  careless.route(kGreen, "green", "green", "here");
  careless.open(1, "here", "red", 1, 2);
  red.send_packet(test::make_packet({.source = kRed, .destination = kGreen}));
  careless.turn(red);
  EXPECT_EQ(careless.sent.size(), 1u);
  test::Vm const green = gate.attach(2, "green", "green", kGreen);
  gate.route(kRed, "red", "red", "careless");
  gate.open(1, "careless", "red", 2, 1);
  gate.receive_from(careless);
  EXPECT_EQ(gate.associations.find(AssociationId(1))->counters.dropped_policy, 1u);
  return green.receive().has_value();
}

std::vector<Path> const& all_paths() {
  static std::vector<Path> const paths = {
      {"port to port on this machine", Hook::flow_out, &red_packet_arrives_here},
      {"port to association", Hook::flow_out, &red_packet_leaves},
      {"association to port", Hook::flow_in, &red_packet_arrives_from_away},
      {"shared memory", Hook::memory_share, ask<MemoryShare>([](TestGate& gate) {
         return MemoryShare{VmName("red"), gate.label("red"), VmName("green"), gate.label("green"),
                            false};
       })},
      {"event channel", Hook::event_bind, ask<EventBind>([](TestGate& gate) {
         return EventBind{VmName("red"), gate.label("red"), VmName("green"), gate.label("green")};
       })},
      {"device used by one, then the other", Hook::device_assign,
       ask<DeviceAssign>([](TestGate& gate) {
         return DeviceAssign{VmName("green"), gate.label("green"), "disk of red",
                             gate.label("red")};
       })},
      {"migration to a machine that is not attested", Hook::vm_migrate,
       ask<VmMigrate>([](TestGate& gate) {
         return VmMigrate{VmName("red"), gate.label("red"), HostName("b"), false, false};
       })},
      {"an association with a machine that is no member", Hook::association_open,
       ask<AssociationOpen>([](TestGate& gate) {
         return AssociationOpen{AssociationId(9), HostName("b"), gate.label("red"), false, true};
       })},
  };
  return paths;
}

TEST(Paths, between_two_vms_are_each_mediated_by_their_hook_and_a_refusal_is_audited) {
  for (Path const& path : all_paths()) {
    TestGate gate(kThreeLabels);
    EXPECT_FALSE(path.attempt(gate)) << path.name;
    EXPECT_EQ(gate.count_audits(path.hook, Verdict::deny), 1u) << path.name;
    for (Hook other : {Hook::flow_out, Hook::flow_in, Hook::memory_share, Hook::event_bind,
                       Hook::device_assign, Hook::vm_migrate, Hook::association_open}) {
      if (other != path.hook) {
        EXPECT_EQ(gate.count_audits(other, Verdict::deny), 0u)
            << path.name << " " << to_string(other);
      }
    }
  }
}

TEST(Paths, that_are_allowed_are_audited_too) {
  TestGate a(kThreeLabels), b(kThreeLabels);
  test::Vm const blue = a.attach(1, "blue", "blue", kRed);
  test::Vm const green = b.attach(1, "green", "green", kGreen);
  a.route(kGreen, "green", "green", "b");
  b.route(kRed, "blue", "blue", "a");
  a.open(1, "b", "blue", 1, 2);
  b.open(1, "a", "blue", 2, 1);
  Bytes const packet =
      test::make_packet({.protocol = kProtocolUdp, .source = kRed, .destination = kGreen});
  blue.send_packet(packet);
  a.turn(blue);
  b.receive_from(a);
  std::optional<Bytes> const frame = green.receive();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(ByteView(*frame).subspan(kEthernetHeaderBytes + kIpv4HeaderBytes).size(),
            packet.size() - kIpv4HeaderBytes);
  EXPECT_EQ((*frame)[kEthernetHeaderBytes + 8], 63) << "one hop";
  EXPECT_EQ(a.count_audits(Hook::flow_out, Verdict::allow), 1u);
  EXPECT_EQ(b.count_audits(Hook::flow_in, Verdict::allow), 1u);
  // The way back is another decision, and this policy has none for it.
  b.open(2, "a", "green", 4, 3);
  a.open(2, "b", "green", 3, 4);
  green.send_packet(test::make_packet({.protocol = kProtocolUdp,
                                       .source = kGreen,
                                       .destination = kRed,
                                       .source_port = 9000,
                                       .destination_port = 40000}));
  b.turn(green);
  EXPECT_TRUE(b.sent.empty());
  EXPECT_EQ(b.count_audits(Hook::flow_out, Verdict::deny), 1u);
}

TEST(Paths, an_association_of_another_label_or_peer_carries_nothing_for_a_vm) {
  struct Row {
    char const* name;
    char const* route_label;
    char const* route_peer;
  };
  constexpr Row kRows[] = {{"another label", "red", "a"}, {"another peer", "green", "c"}};
  for (Row const& row : kRows) {
    TestGate a(kThreeLabels), b(kThreeLabels);
    test::Vm const from = a.attach(1, "from", "green", kRed);
    test::Vm const to = b.attach(1, "to", "green", kGreen);
    a.route(kGreen, "to", "green", "b");
    a.open(1, "b", "green", 1, 2);
    b.route(kRed, "from", row.route_label, row.route_peer);
    b.open(1, "a", "green", 2, 1);
    from.send_packet(test::make_packet({.source = kRed, .destination = kGreen}));
    a.turn(from);
    b.receive_from(a);
    EXPECT_FALSE(to.receive().has_value()) << row.name;
    ASSERT_EQ(b.count_audits(Hook::flow_in, Verdict::deny), 1u) << row.name;
    EXPECT_EQ(b.audits.back().reason, gate::kReasonForeignSource) << row.name;
  }
}

}  // namespace
}  // namespace shamon
