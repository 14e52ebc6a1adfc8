// Runs of datagrams of which some are forged, as GRO makes them where an attacker forges the peer's
// address and an SPI he overheard.
#include <gtest/gtest.h>

#include "tunnel/forwarder_fixture.hpp"

namespace shamon {
namespace {

using test::kThreeLabels;
using test::TestGate;

constexpr Ipv4 kHere{0x0a4d0001}, kAway{0x0a4d0011};
constexpr std::size_t kRun = 44;

struct Outcome {
  std::size_t delivered = 0;
  std::uint64_t forged = 0;
};

/// A run of `count` packets from another gate, each forged where `is_forged` says so.
template <class F>
Outcome receive_run(std::size_t count, F is_forged) {
  TestGate away(kThreeLabels), here(kThreeLabels);
  test::Vm const sender = away.attach(1, "sender", "green", kAway);
  away.route(kHere, "receiver", "green", "here");
  away.open(1, "here", "green", 1, 2);
  test::Vm const receiver = here.attach(1, "receiver", "green", kHere);
  here.route(kAway, "sender", "green", "away");
  here.open(1, "away", "green", 2, 1);
  Bytes run;
  std::size_t segment_bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sender.send_packet(test::make_packet({.source = kAway, .destination = kHere}));
    away.turn(sender);
    Bytes datagram = std::move(away.sent.back().bytes);
    away.sent.clear();
    if (is_forged(i)) datagram.back() ^= 1;  // of the ICV
    segment_bytes = datagram.size();
    append(run, datagram);
  }
  here.forwarder.from_underlay({run, segment_bytes, 0}, here.now);
  here.forwarder.end_of_turn(here.now);
  Outcome outcome;
  while (receiver.receive()) ++outcome.delivered;
  outcome.forged = here.associations.find(AssociationId(1))->counters.dropped_icv;
  return outcome;
}

TEST(ForgedRuns, of_a_mixed_run_all_that_is_authentic_arrives) {
  for (std::size_t count : {std::size_t{1}, std::size_t{4}, std::size_t{5}, std::size_t{9}, kRun}) {
    Outcome const clean = receive_run(count, [](std::size_t) { return false; });
    EXPECT_EQ(clean.delivered, count);
    EXPECT_EQ(clean.forged, 0u);
    Outcome const half = receive_run(count, [](std::size_t i) { return i % 2 == 0; });
    EXPECT_EQ(half.delivered, count / 2) << count;
    EXPECT_EQ(half.forged, count - count / 2) << count;
  }
  // At the front, where they come first, and all but a few at the end.
  Outcome const front = receive_run(kRun, [](std::size_t i) { return i < kRun / 2; });
  EXPECT_EQ(front.delivered, kRun / 2);
  Outcome const tail = receive_run(kRun, [](std::size_t i) { return i < 33; });
  EXPECT_EQ(tail.delivered, kRun - 33);
}

TEST(ForgedRuns, a_run_of_forgeries_is_dropped_and_counted_packet_by_packet) {
  for (std::size_t count : {std::size_t{1}, std::size_t{5}, kRun, kBatchPackets}) {
    Outcome const all = receive_run(count, [](std::size_t) { return true; });
    EXPECT_EQ(all.delivered, 0u);
    EXPECT_EQ(all.forged, count);
  }
}

TEST(ForgedRuns, where_every_sample_is_forged_the_rest_goes_unopened) {
  // The samples of 44 are 0, 11, 22 and 33: what is given up for not opening a flood.
  Outcome const unlucky = receive_run(kRun, [](std::size_t i) { return i % 11 == 0; });
  EXPECT_EQ(unlucky.delivered, 0u);
  EXPECT_EQ(unlucky.forged, kRun);
}

}  // namespace
}  // namespace shamon
