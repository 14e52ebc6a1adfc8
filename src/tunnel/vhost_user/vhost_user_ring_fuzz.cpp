// A guest that writes anything into its rings, at any time: the input is a program of writes to its
// memory and of what the gate does between them. Byte 0: the ring's kind.
#include <cstring>

#include "base/cursor.hpp"
#include "tunnel/vhost_user/driver_fixture.hpp"

using namespace shamon;
using namespace shamon::vhost_user;

namespace {

constexpr std::uint16_t kSize = 8;
constexpr std::size_t kBytes = 0x10000;
// Close together, so that short inputs reach all of it.
constexpr std::size_t kDescriptors = 0, kDriver = 0x80, kDevice = 0xa0, kPlayground = 0x200;

Area at(test::SharedMemory& memory, std::size_t offset, std::size_t bytes) {
  return {memory.data + offset, bytes, test::kGuestBase + offset};
}

struct Run {
  std::unique_ptr<Ring> ring;
  std::vector<Area> pieces;
  std::vector<Chain> taken;

  bool take(test::SharedMemory const& memory) {
    pieces.clear();
    auto const chain = ring->take(pieces);
    if (!chain) return false;
    if (!*chain) return true;
    std::size_t bytes = 0;
    for (Area const& piece : pieces) {
      SHAMON_ASSERT(piece.size != 0 && piece.guest >= test::kGuestBase);
      SHAMON_ASSERT(piece.guest - test::kGuestBase + piece.size <= memory.size);
      bytes += piece.size;
    }
    SHAMON_ASSERT(bytes == (*chain)->bytes && pieces.size() <= kPiecesMax);
    SHAMON_ASSERT((*chain)->slots != 0 && (*chain)->slots <= kSize);
    taken.push_back(**chain);
    return true;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static test::SharedMemory memory(kBytes);
  static std::shared_ptr<GuestMemory const> const mapped = memory.map();
  Cursor in(ByteView(data, size));
  std::uint8_t const kind = in.u8();
  bool const packed = (kind & 1) != 0;
  std::uint32_t const base = in.u32le();
  std::memset(memory.data, 0, kPlayground);
  Wiring wiring;
  wiring.size = kSize;
  Ring::Sizes const sizes = Ring::sizes(packed, kSize);
  wiring.descriptors = at(memory, kDescriptors, sizes.descriptors);
  wiring.driver = at(memory, kDriver, sizes.driver);
  wiring.device = at(memory, kDevice, sizes.device);
  wiring.event_index = (kind & 2) != 0;
  wiring.indirect = (kind & 4) != 0;
  wiring.direction = (kind & 8) != 0 ? Direction::to_guest : Direction::from_guest;
  wiring.memory = mapped;
  auto ring = Ring::make(wiring, packed, base);
  if (!ring) return 0;
  Run run{*std::move(ring), {}, {}};
  run.pieces.reserve(kPiecesMax);
  while (in.ok() && !in.at_end()) {
    switch (in.u8() % 8) {
      case 0:
      case 1:
      case 2: {  // the guest writes
        std::size_t const offset = in.u16le() % kPlayground;
        ByteView const bytes = in.take(std::min<std::size_t>(in.u8() % 32, in.remaining()));
        if (!bytes.empty()) std::memcpy(memory.data + offset, bytes.data(), bytes.size());
        break;
      }
      case 3:
        if (!run.take(memory)) return 0;
        break;
      case 4:
        for (Chain const& chain : std::exchange(run.taken, {})) run.ring->give_back(chain, 1);
        break;
      case 5: run.ring->publish(); break;
      case 6: (void)run.ring->wants_call(); break;
      case 7: run.ring->want_kicks(in.u8() % 2 == 0); break;
    }
  }
  run.ring->publish();
  auto const again = Ring::make(wiring, packed, run.ring->base());
  SHAMON_ASSERT(again.has_value());
  return 0;
}
