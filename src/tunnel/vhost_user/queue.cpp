#include "tunnel/vhost_user/queue.hpp"

#include <algorithm>
#include <cstring>

#include <unistd.h>

#include "tunnel/limits.hpp"
#include "tunnel/vhost_user/features.hpp"

namespace shamon::vhost_user {

namespace {

/// Of struct virtio_net_hdr in front of a frame (Virtual I/O Device 1.2 §5.1.6).
bool is_tcp_super_packet(std::span<std::uint8_t const> frame) noexcept {
  constexpr std::uint8_t kTcpIpv4 = 1, kTcpIpv6 = 4, kEcn = 0x80;
  std::uint8_t const type = frame[1] & static_cast<std::uint8_t>(~kEcn);
  return type == kTcpIpv4 || type == kTcpIpv6;
}

/// The descriptor was made non-blocking when it came. A front end that shares it can undo that and
/// fill the counter, and so hold a thread of the gate; it would have to be taken over by its guest
/// first, and its host monitor sees the gate stand still.
void signal(UniqueFd const& event) noexcept {
  if (!event) return;
  std::uint64_t const one = 1;
  // Full means that it is not yet read: the other end will look anyway.
  [[maybe_unused]] ssize_t const written = ::write(event.get(), &one, sizeof one);
}

}  // namespace

Queue::Queue(Direction direction) : direction_(direction) {
  pieces_.reserve(kPiecesMax);
  rest_.reserve(kPiecesMax);
  chains_.reserve(kChainsMax);
}

template <class T>
tl::unexpected<Fault> Queue::broken(Checked<T> const& fault) noexcept {
  signal(error_);
  return stop_with(fault.error());
}

// --- what messages say -------------------------------------------------------------------------

Checked<void> Queue::set_size(std::uint32_t descriptors) noexcept {
  std::lock_guard const lock(mutex_);
  if (ring_ || descriptors == 0 || descriptors > kRingSizeMax) {
    return stop_with(Fault::bad_ring_size);
  }
  size_ = static_cast<std::uint16_t>(descriptors);
  return {};
}

Checked<void> Queue::set_addresses(RingAddresses const& addresses,
                                   Agreement const& agreement) noexcept {
  std::unique_lock lock(mutex_);
  addresses_ = addresses;
  if (!ring_) return {};
  lock.unlock();
  return rewire(agreement);
}

void Queue::set_base(std::uint32_t base) noexcept {
  std::lock_guard const lock(mutex_);
  base_ = base;
}

void Queue::enable(bool enabled) noexcept {
  std::lock_guard const lock(mutex_);
  enabled_ = enabled;
}

void Queue::set_call(UniqueFd call) noexcept {
  std::lock_guard const lock(mutex_);
  call_ = std::move(call);
  // Whatever was published while there was no descriptor, or another one, is told now.
  if (ring_) signal(call_);
}

void Queue::set_error(UniqueFd error) noexcept {
  std::lock_guard const lock(mutex_);
  error_ = std::move(error);
}

Checked<Wiring> Queue::wire(Agreement const& agreement) const noexcept {
  if (!agreement.memory || !addresses_) return stop_with(Fault::bad_ring_address);
  if (size_ == 0) return stop_with(Fault::bad_ring_size);
  bool const packed = (agreement.features & kRingPacked) != 0;
  Ring::Sizes const sizes = Ring::sizes(packed, size_);
  GuestMemory const& memory = *agreement.memory;
  // Alignments of §2.7 and §2.8.10.1.
  auto const descriptors = memory.at_user(addresses_->descriptors, sizes.descriptors, 16);
  auto const driver = memory.at_user(addresses_->driver, sizes.driver, packed ? 4 : 2);
  auto const device = memory.at_user(addresses_->device, sizes.device, 4);
  for (auto const* area : {&descriptors, &driver, &device}) {
    if (!*area) return stop_with(area->error());
  }
  Wiring wiring;
  wiring.size = size_;
  wiring.descriptors = *descriptors;
  wiring.driver = *driver;
  wiring.device = *device;
  wiring.event_index = (agreement.features & kRingEventIndex) != 0;
  wiring.indirect = (agreement.features & kRingIndirect) != 0;
  wiring.direction = direction_;
  wiring.memory = agreement.memory;
  if ((agreement.features & kLogAll) != 0) wiring.log = agreement.log;
  return wiring;
}

Checked<void> Queue::start(UniqueFd kick, Agreement const& agreement) noexcept {
  std::lock_guard const lock(mutex_);
  // The layout of a driver older than virtio 1 is another one; QEMU would tell us of it only by the
  // lack of this feature.
  if ((agreement.features & kVersion1) == 0) return stop_with(Fault::bad_features);
  auto wiring = wire(agreement);
  if (!wiring) return stop_with(wiring.error());
  auto ring = Ring::make(*std::move(wiring), (agreement.features & kRingPacked) != 0, base_);
  if (!ring) return stop_with(ring.error());
  ring_ = *std::move(ring);
  kick_ = std::move(kick);
  mergeable_ = (agreement.features & kNetMergeableBuffers) != 0;
  kicks_wanted_ = false;
  given_back_ = 0;
  // Nobody waits for buffers to send into: no room means that the frame is dropped.
  ring_->want_kicks(false);
  return {};
}

std::uint32_t Queue::stop(bool forget) noexcept {
  std::lock_guard const lock(mutex_);
  if (ring_) {
    ring_->publish();
    base_ = ring_->base();
    ring_.reset();
  }
  kick_.reset();
  if (forget) {
    call_.reset();
    error_.reset();
    addresses_.reset();
    size_ = 0;
    enabled_ = false;
    return std::exchange(base_, 0);
  }
  return base_;
}

Checked<void> Queue::rewire(Agreement const& agreement) noexcept {
  std::lock_guard const lock(mutex_);
  if (!ring_) return {};
  ring_->publish();
  auto wiring = wire(agreement);
  if (!wiring) return stop_with(wiring.error());
  ring_->rewire(*std::move(wiring));
  return {};
}

bool Queue::started() noexcept {
  std::lock_guard const lock(mutex_);
  return ring_ != nullptr;
}

bool Queue::usable() noexcept {
  std::lock_guard const lock(mutex_);
  return ring_ && enabled_;
}

// --- frames ------------------------------------------------------------------------------------

/// The runs of the frame in `pieces_` from `offset` on.
template <class Use>
void Queue::for_each_run(std::size_t offset, Use const& use) const {
  for (Area const& piece : pieces_) {
    std::size_t const skipped = std::min(offset, piece.size);
    offset -= skipped;
    if (piece.size != skipped) use(piece.bytes + skipped, piece.size - skipped);
  }
}

Queue::Taken Queue::take_frame(std::span<std::uint8_t> buffer) {
  std::size_t copied = 0, room = std::min(buffer.size(), kHeadersBytesMax), whole = 0;
  auto const copy = [&](std::uint8_t const* from, std::size_t bytes) {
    bytes = std::min(bytes, room - copied);
    std::memcpy(buffer.data() + copied, from, bytes);
    copied += bytes;
  };
  for (Area const& piece : pieces_) whole += piece.size;
  for_each_run(0, copy);
  rest_.clear();
  bool const lend = whole > room && whole <= buffer.size() && is_tcp_super_packet(buffer);
  if (lend) {
    for_each_run(room, [&](std::uint8_t* from, std::size_t bytes) {
      rest_.push_back({from, bytes});
    });
    if (rest_.size() <= kRestPiecesMax) return {copied, rest_};
  }
  room = buffer.size();
  for_each_run(copied, copy);
  return {copied, {}};
}

Checked<std::optional<Queue::Taken>> Queue::read(std::span<std::uint8_t> buffer) noexcept {
  std::lock_guard const lock(mutex_);
  std::optional<Taken> none;
  lent_.reset();
  // A queue that is not enabled throws away what the guest sends: a ring's length at most.
  for (std::size_t tries = 0; ring_ && tries <= size_; ++tries) {
    pieces_.clear();
    auto const chain = ring_->take(pieces_);
    if (!chain) return broken(chain);
    if (!*chain) {
      if (kicks_wanted_) return none;
      ring_->publish();
      ring_->want_kicks(true);
      kicks_wanted_ = true;
      continue;
    }
    if (std::exchange(kicks_wanted_, false)) ring_->want_kicks(false);
    Taken const taken = take_frame(buffer);
    if (!taken.rest.empty()) lent_ = ring_->wiring().memory;
    // Not yet published, so a guest that keeps to the rules leaves the payload as it is.
    ring_->give_back(**chain, 0);
    unfinished_.store(true, std::memory_order_relaxed);
    if (taken.bytes < kNetHeaderBytes) return broken(Checked<void>(stop_with(Fault::short_frame)));
    if (enabled_) return std::optional<Taken>(taken);
  }
  return none;
}

Checked<bool> Queue::take_room(std::size_t bytes) noexcept {
  pieces_.clear();
  chains_.clear();
  std::size_t room = 0;
  while (room < bytes) {
    bool const full = chains_.size() == (mergeable_ ? kChainsMax : 1) ||
                      pieces_.size() + kRingSizeMax > kPiecesMax;
    if (full) return false;
    auto const chain = ring_->take(pieces_);
    if (!chain) return stop_with(chain.error());
    if (!*chain) return false;
    room += (*chain)->bytes;
    chains_.push_back(**chain);
  }
  return true;
}

void Queue::scatter(std::span<iovec const> parts) noexcept {
  auto piece = pieces_.begin();
  std::size_t filled = 0;
  for (iovec const& part : parts) {
    auto const* from = static_cast<std::uint8_t const*>(part.iov_base);
    for (std::size_t left = part.iov_len; left != 0;) {
      if (filled == piece->size) {
        ++piece;
        filled = 0;
      }
      std::size_t const bytes = std::min(left, piece->size - filled);
      // A VM may have two ports, and name the same memory at both.
      std::memmove(piece->bytes + filled, from, bytes);
      filled += bytes;
      from += bytes;
      left -= bytes;
    }
  }
}

Checked<bool> Queue::write(std::span<iovec const> parts) noexcept {
  std::lock_guard const lock(mutex_);
  if (!ring_ || !enabled_) return false;
  std::size_t bytes = 0;
  for (iovec const& part : parts) bytes += part.iov_len;
  Ring::Position const mark = ring_->mark();
  auto const room = take_room(bytes);
  if (!room) return broken(room);
  if (!*room) {
    ring_->rewind(mark);
    return false;
  }
  auto* const header = static_cast<std::uint8_t*>(parts[0].iov_base);
  header[kNetHeaderBytes - 2] = static_cast<std::uint8_t>(chains_.size());
  header[kNetHeaderBytes - 1] = static_cast<std::uint8_t>(chains_.size() >> 8);
  scatter(parts);
  if (DirtyLog const* const log = ring_->wiring().log.get()) {
    for (Area const& piece : pieces_) log->mark(piece.guest, piece.size);
  }
  for (Chain const& chain : chains_) {
    std::size_t const written = std::min(chain.bytes, bytes);
    ring_->give_back(chain, static_cast<std::uint32_t>(written));
    bytes -= written;
  }
  given_back_ += chains_.size();
  unfinished_.store(true, std::memory_order_relaxed);
  if (given_back_ >= kPublishChains) finish_locked();
  return true;
}

void Queue::finish() noexcept {
  // Asked of every queue at the end of every turn; most had nothing to do.
  if (!unfinished_.exchange(false, std::memory_order_relaxed)) return;
  std::lock_guard const lock(mutex_);
  finish_locked();
}

void Queue::finish_locked() noexcept {
  lent_.reset();
  if (!ring_) return;
  given_back_ = 0;
  ring_->publish();
  if (ring_->wants_call()) signal(call_);
}

}  // namespace shamon::vhost_user
