// The packet path between two gates: whatever a red VM and the wire say, nothing reaches green.
#include "base/assert.hpp"
#include "tunnel/forwarder_fixture.hpp"

using namespace shamon;

namespace {

/// Expensive to make; the state it keeps between inputs is part of what is tested.
struct World {
  test::TestGate a{test::kThreeLabels}, b{test::kThreeLabels};
  test::Vm red = a.attach(1, "red", "red", {0x0a4d0002});
  test::Vm green_beside = a.attach(2, "green1", "green", {0x0a4d0001});
  test::Vm green_away = b.attach(1, "green2", "green", {0x0a4d0011});

  World() {
    a.route({0x0a4d0011}, "green2", "green", "b");
    b.route({0x0a4d0002}, "red", "red", "a");
    b.route({0x0a4d0001}, "green1", "green", "a");
    a.open(1, "b", "red", 1, 2);
    b.open(1, "a", "red", 2, 1);
    a.open(2, "b", "green", 3, 4);
    b.open(2, "a", "green", 4, 3);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static World world;
  if (size == 0 || size > 20000) return 0;
  Bytes input(data + 1, data + size);
  if ((data[0] & 1) != 0) {
    world.red.send(input);
    world.a.turn(world.red);
  } else {
    world.b.forwarder.from_underlay({input, 1 + input.size() / (1 + data[0] / 2), data[0]},
                                    world.b.now);
    world.b.forwarder.end_of_turn(world.b.now);
  }
  world.b.receive_from(world.a);
  world.red.receive();
  SHAMON_ASSERT(!world.green_beside.receive().has_value());
  SHAMON_ASSERT(!world.green_away.receive().has_value());
  world.a.audits.clear();
  world.b.audits.clear();
  return 0;
}
