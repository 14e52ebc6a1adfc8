#include "tunnel/vhost_user/packed_ring.hpp"

namespace shamon::vhost_user {

namespace {

constexpr std::size_t kBytesField = 8, kIdField = 12, kFlagsField = 14;
constexpr std::uint16_t kWrapBit = 1u << 15, kIndexMask = kWrapBit - 1;
// Descriptor flags (§2.8.1) and event flags (§2.8.10).
constexpr unsigned kAvailableBit = 7, kUsedBit = 15;
constexpr std::uint16_t kEventEnable = 0, kEventDisable = 1, kEventDescriptor = 2, kEventMask = 3;

bool has(std::uint16_t flags, unsigned number) noexcept {
  return (flags >> number & 1) != 0;
}

std::uint16_t encode(Ring::Position position) noexcept {
  return static_cast<std::uint16_t>(position.index | (position.wrap ? kWrapBit : 0));
}

Ring::Position decode(std::uint16_t value) noexcept {
  return {static_cast<std::uint16_t>(value & kIndexMask), (value & kWrapBit) != 0};
}

}  // namespace

Checked<std::unique_ptr<Ring>> PackedRing::make(Wiring wiring, std::uint32_t base) {
  Position const told = decode(static_cast<std::uint16_t>(base));
  Position const told_used = decode(static_cast<std::uint16_t>(base >> 16));
  if (told.index >= wiring.size || told_used.index >= wiring.size) {
    return stop_with(Fault::bad_ring_base);
  }
  auto ring = std::make_unique<PackedRing>(std::move(wiring));
  // We use descriptors in order and at once, so what is taken next is used next.
  ring->next_ = ring->noted_position(told);
  ring->used_ = ring->published_ = ring->next_;
  ring->want_kicks(false);
  return ring;
}

Ring::Position PackedRing::noted_position(Position told) const noexcept {
  auto const event = load<std::uint32_t>(wiring_.device.bytes);
  Position const noted = decode(static_cast<std::uint16_t>(event));
  if (noted.index >= wiring_.size) return told;
  auto const flags = load<std::uint16_t>(slot(noted.index) + kFlagsField);
  // All zero is either a ring nobody used yet or the begin of an even round; in the latter the slot
  // was used in the round before.
  if (event == 0 && !has(flags, kUsedBit)) return told;
  // A slot that is used already in this round cannot be the next.
  bool const used = has(flags, kAvailableBit) == noted.wrap && has(flags, kUsedBit) == noted.wrap;
  return used ? told : noted;
}

void PackedRing::advance(Position& position, std::uint16_t slots) const noexcept {
  unsigned const index = position.index + slots;
  bool const wraps = index >= wiring_.size;
  position.index = static_cast<std::uint16_t>(wraps ? index - wiring_.size : index);
  position.wrap = position.wrap != wraps;
}

Checked<std::optional<Chain>> PackedRing::take(std::vector<Area>& pieces) noexcept {
  auto const head = load_acquire<std::uint16_t>(slot(next_.index) + kFlagsField);
  if (has(head, kAvailableBit) != next_.wrap || has(head, kUsedBit) == next_.wrap) {
    return std::optional<Chain>();
  }
  Chain chain;
  Position at = next_;
  for (;;) {
    Descriptor const d = read_descriptor(slot(at.index));
    std::uint16_t const flags = d.fourth;
    if ((flags & kIndirect) != 0 && (flags & kNext) != 0) return stop_with(Fault::bad_indirect);
    auto const added = (flags & kIndirect) != 0 ? add_table(d, false, pieces, chain)
                                                : add(d, flags, pieces, chain);
    if (!added) return stop_with(added.error());
    ++chain.slots;
    advance(at, 1);
    chain.id = d.third;  // that of the last one counts (§2.8.6)
    if ((flags & kNext) == 0) break;
    if (chain.slots == wiring_.size) return stop_with(Fault::chain_loops);
  }
  next_ = at;
  return std::optional<Chain>(chain);
}

void PackedRing::write_used(Used const& used) noexcept {
  std::uint8_t* const at = slot(used.at.index);
  store(at + kBytesField, used.bytes);
  store(at + kIdField, used.id);
  unsigned const round = used.at.wrap ? 1u << kAvailableBit | 1u << kUsedBit : 0;
  unsigned const write = wiring_.direction == Direction::to_guest ? kWrite : 0;
  store_release(at + kFlagsField, static_cast<std::uint16_t>(round | write));
  log_write(wiring_.descriptors, kDescriptorBytes * used.at.index, kDescriptorBytes);
}

void PackedRing::give_back(Chain const& chain, std::uint32_t written_bytes) noexcept {
  Used const used{used_, chain.id, written_bytes};
  if (first_) {
    write_used(used);
  } else {
    first_ = used;
  }
  advance(used_, chain.slots);
  unpublished_ = static_cast<std::uint16_t>(unpublished_ + chain.slots);
}

void PackedRing::publish() noexcept {
  if (!first_) return;
  write_used(*first_);
  first_.reset();
  published_ = used_;
  uncalled_ = static_cast<std::uint16_t>(uncalled_ + std::exchange(unpublished_, 0));
  write_event();
}

void PackedRing::write_event() noexcept {
  // One store: the driver must not see flags of one event with the position of another.
  std::uint32_t const value = static_cast<std::uint32_t>(event_flags_) << 16 | encode(published_);
  store_release(wiring_.device.bytes, value);
  log_write(wiring_.device, 0, 4);
}

bool PackedRing::wants_call() noexcept {
  if (uncalled_ == 0) return false;
  fence();
  std::uint16_t const slots = std::exchange(uncalled_, 0);
  auto const event = load<std::uint32_t>(wiring_.driver.bytes);
  auto const flags = static_cast<std::uint16_t>(event >> 16 & kEventMask);
  if (flags == kEventDisable) return false;
  if (flags != kEventDescriptor || !wiring_.event_index) return true;
  // §2.8.10: the position of another round is a ring's length away.
  Position const wanted = decode(static_cast<std::uint16_t>(event));
  auto const at = static_cast<std::uint16_t>(
      wanted.wrap == published_.wrap ? wanted.index : wanted.index - wiring_.size);
  return crossed(at, published_.index, static_cast<std::uint16_t>(published_.index - slots));
}

void PackedRing::want_kicks(bool wanted) noexcept {
  std::uint16_t const enabled = wiring_.event_index ? kEventDescriptor : kEventEnable;
  event_flags_ = wanted ? enabled : kEventDisable;
  write_event();
  if (wanted) fence();
}

std::uint32_t PackedRing::base() const noexcept {
  return static_cast<std::uint32_t>(encode(published_)) << 16 | encode(next_);
}

}  // namespace shamon::vhost_user
