#include "tunnel/vhost_user/split_ring.hpp"

#include <bit>

namespace shamon::vhost_user {

namespace {

// Driver area: flags, index, ring of heads, used_event. Device area: flags, index, ring of
// {id, bytes}, avail_event.
constexpr std::size_t kFlags = 0, kIndex = 2, kEntries = 4;
constexpr std::size_t kHeadBytes = 2, kUsedBytes = 8;
constexpr std::uint16_t kNoInterrupt = 1, kNoNotify = 1;

}  // namespace

Checked<std::unique_ptr<Ring>> SplitRing::make(Wiring wiring, std::uint32_t base) {
  if (!std::has_single_bit(wiring.size)) return stop_with(Fault::bad_ring_size);
  if (base > UINT16_MAX) return stop_with(Fault::bad_ring_base);
  auto ring = std::make_unique<SplitRing>(std::move(wiring));
  ring->next_.index = static_cast<std::uint16_t>(base);
  ring->used_ = load<std::uint16_t>(ring->wiring_.device.bytes + kIndex);
  ring->published_ = ring->called_ = ring->used_;
  // An event just passed is not reached again for a whole round: no kicks until they are wanted.
  if (ring->wiring_.event_index) {
    ring->set_kick_event(static_cast<std::uint16_t>(ring->next_.index - 1));
  }
  return ring;
}

void SplitRing::set_kick_event(std::uint16_t index) noexcept {
  std::size_t const at = kEntries + kUsedBytes * wiring_.size;
  store(wiring_.device.bytes + at, index);
  log_write(wiring_.device, at, 2);
}

Checked<std::optional<Chain>> SplitRing::take(std::vector<Area>& pieces) noexcept {
  std::uint8_t const* const driver = wiring_.driver.bytes;
  auto const available = load_acquire<std::uint16_t>(driver + kIndex);
  auto const waiting = static_cast<std::uint16_t>(available - next_.index);
  if (waiting == 0) return std::optional<Chain>();
  if (waiting > wiring_.size) return stop_with(Fault::index_jump);
  auto at = load<std::uint16_t>(driver + kEntries + kHeadBytes * slot(next_.index));
  Chain chain{at, 1, 0};
  for (std::size_t seen = 1;; ++seen) {
    if (at >= wiring_.size) return stop_with(Fault::descriptor_outside);
    Descriptor const d = read_descriptor(wiring_.descriptors.bytes + kDescriptorBytes * at);
    std::uint16_t const flags = d.third;
    if ((flags & kIndirect) != 0 && (flags & kNext) != 0) return stop_with(Fault::bad_indirect);
    auto const added =
        (flags & kIndirect) != 0 ? add_table(d, true, pieces, chain) : add(d, flags, pieces, chain);
    if (!added) return stop_with(added.error());
    if ((flags & kNext) == 0) break;
    if (seen == wiring_.size) return stop_with(Fault::chain_loops);
    at = d.fourth;
  }
  ++next_.index;
  return std::optional<Chain>(chain);
}

void SplitRing::give_back(Chain const& chain, std::uint32_t written_bytes) noexcept {
  std::size_t const at = kEntries + kUsedBytes * slot(used_);
  store<std::uint32_t>(wiring_.device.bytes + at, chain.id);
  store(wiring_.device.bytes + at + 4, written_bytes);
  log_write(wiring_.device, at, kUsedBytes);
  ++used_;
}

void SplitRing::publish() noexcept {
  if (published_ == used_) return;
  store_release(wiring_.device.bytes + kIndex, used_);
  log_write(wiring_.device, kIndex, 2);
  published_ = used_;
}

bool SplitRing::wants_call() noexcept {
  if (called_ == published_) return false;
  fence();
  std::uint16_t const before = std::exchange(called_, published_);
  std::uint8_t const* const driver = wiring_.driver.bytes;
  if (!wiring_.event_index) return (load<std::uint16_t>(driver + kFlags) & kNoInterrupt) == 0;
  // Where the front end counted from before us is not known.
  if (std::exchange(first_call_, false)) return true;
  auto const event = load<std::uint16_t>(driver + kEntries + kHeadBytes * wiring_.size);
  return crossed(event, published_, before);
}

void SplitRing::want_kicks(bool wanted) noexcept {
  if (wiring_.event_index) {
    if (wanted) set_kick_event(next_.index);
  } else {
    store<std::uint16_t>(wiring_.device.bytes + kFlags, wanted ? 0 : kNoNotify);
    log_write(wiring_.device, kFlags, 2);
  }
  if (wanted) fence();
}

}  // namespace shamon::vhost_user
