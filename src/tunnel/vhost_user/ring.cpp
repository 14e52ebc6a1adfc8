#include "tunnel/vhost_user/ring.hpp"

#include <bit>
#include <cstring>

#include "tunnel/vhost_user/packed_ring.hpp"
#include "tunnel/vhost_user/split_ring.hpp"

namespace shamon::vhost_user {

static_assert(std::endian::native == std::endian::little);

Checked<std::unique_ptr<Ring>> Ring::make(Wiring wiring, bool packed, std::uint32_t base) {
  if (packed) return PackedRing::make(std::move(wiring), base);
  return SplitRing::make(std::move(wiring), base);
}

Ring::Sizes Ring::sizes(bool packed, std::uint16_t size) noexcept {
  std::size_t const n = size;
  if (packed) return {kDescriptorBytes * n, 4, 4};
  // With the event index behind each of the two (§2.7.6, §2.7.8).
  return {kDescriptorBytes * n, 4 + 2 * n + 2, 4 + 8 * n + 2};
}

Ring::Descriptor Ring::read_descriptor(std::uint8_t const* at) noexcept {
  Descriptor descriptor;
  std::memcpy(&descriptor, at, sizeof descriptor);
  // The guest may change it now; the compiler must not read it again.
  asm volatile("" : : "r"(&descriptor) : "memory");
  return descriptor;
}

Checked<void> Ring::add(Descriptor const& descriptor, std::uint16_t flags,
                        std::vector<Area>& pieces, Chain& chain) const noexcept {
  bool const writable = (flags & kWrite) != 0;
  if (writable != (wiring_.direction == Direction::to_guest)) {
    return stop_with(Fault::wrong_direction);
  }
  std::uint64_t guest = descriptor.address;
  std::uint64_t left = descriptor.bytes;
  while (left != 0) {
    Area const area = wiring_.memory->at_guest(guest, left);
    if (area.size == 0) return stop_with(Fault::buffer_outside);
    if (pieces.size() == kPiecesMax) return stop_with(Fault::chain_loops);
    pieces.push_back(area);
    chain.bytes += area.size;
    guest += area.size;
    left -= area.size;
  }
  return {};
}

Checked<void> Ring::add_table(Descriptor const& descriptor, bool linked, std::vector<Area>& pieces,
                              Chain& chain) const noexcept {
  std::size_t const count = descriptor.bytes / kDescriptorBytes;
  bool const sound = wiring_.indirect && descriptor.bytes % kDescriptorBytes == 0 && count != 0 &&
                     count <= kIndirectMax;
  if (!sound) return stop_with(Fault::bad_indirect);
  Area const table = wiring_.memory->at_guest(descriptor.address, descriptor.bytes);
  if (table.size != descriptor.bytes) return stop_with(Fault::buffer_outside);
  std::size_t at = 0;
  for (std::size_t seen = 1;; ++seen) {
    Descriptor const entry = read_descriptor(table.bytes + at * kDescriptorBytes);
    std::uint16_t const flags = linked ? entry.third : entry.fourth;
    if ((flags & kIndirect) != 0) return stop_with(Fault::bad_indirect);
    if (auto const added = add(entry, flags, pieces, chain); !added) return added;
    // §2.8.7: in a packed ring's table all entries belong to the buffer.
    if (linked ? (flags & kNext) == 0 : seen == count) return {};
    if (seen == count) return stop_with(Fault::chain_loops);
    at = linked ? entry.fourth : at + 1;
    if (at >= count) return stop_with(Fault::descriptor_outside);
  }
}

}  // namespace shamon::vhost_user
