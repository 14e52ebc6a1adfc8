#include "tunnel/vhost_user/backend.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel/vhost_user/features.hpp"

namespace shamon::vhost_user {

namespace {

constexpr std::uint64_t kListenerTag = 1, kFrontEndTag = 2, kEventTag = 3;

// Events are never read: each write to an eventfd makes an edge of its own (epoll(7)), and a
// descriptor that is none of the kind we expect cannot block us.
constexpr std::uint32_t kEdge = EPOLLIN | EPOLLET;

bool set_non_blocking(UniqueFd const& fd) noexcept {
  int const flags = ::fcntl(fd.get(), F_GETFL);
  return flags >= 0 && ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) == 0;
}

bool has_option(int fd, int option, int wanted) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

}  // namespace

Result<std::shared_ptr<Backend>> Backend::create(UniqueFd listener, std::size_t pairs) {
  int const fd = listener.get();
  if (!has_option(fd, SO_DOMAIN, AF_UNIX) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
      !has_option(fd, SO_ACCEPTCONN, 1)) {
    return fail(Errc::invalid, "a vhost-user port needs a listening UNIX stream socket");
  }
  if (pairs == 0 || pairs > kQueuePairsMax) {
    return fail(Errc::invalid, "a number of queue pairs outside the bounds");
  }
  if (!set_non_blocking(listener)) return fail_errno("set vhost-user socket non-blocking");
  auto backend = std::make_shared<Backend>(std::move(listener), pairs);
  if (Status const opened = backend->open(); !opened) return pass(opened);
  return backend;
}

Backend::Backend(UniqueFd listener, std::size_t pairs)
    : listener_(std::move(listener)), pairs_(pairs) {}

Status Backend::open() {
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    Pair& pair = pairs_[i];
    pair.epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
    pair.wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    pair.to_guest = std::make_unique<Queue>(Direction::to_guest);
    pair.from_guest = std::make_unique<Queue>(Direction::from_guest);
    if (!pair.epoll || !pair.wake || !watch(i, pair.wake.get(), kEventTag, kEdge)) {
      return fail_errno("descriptors of a vhost-user port");
    }
  }
  if (!watch(0, listener_.get(), kListenerTag, kEdge)) return fail_errno("epoll_ctl");
  return {};
}

bool Backend::watch(std::size_t pair, int fd, std::uint64_t tag,
                    std::uint32_t events) const noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(pairs_[pair].epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Backend::unwatch(std::size_t pair, int fd) const noexcept {
  (void)::epoll_ctl(pairs_[pair].epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Backend::wake(std::size_t pair) const noexcept {
  std::uint64_t const one = 1;
  // At 2^64 wakes the counter is full; nobody lives to see it.
  [[maybe_unused]] ssize_t const written = ::write(pairs_[pair].wake.get(), &one, sizeof one);
}

void Backend::stop(Fault fault) noexcept {
  Fault expected = Fault::none;
  if (fault_.compare_exchange_strong(expected, fault, std::memory_order_acq_rel)) wake(0);
}

void Backend::look(std::size_t pair) noexcept {
  std::array<epoll_event, 4> events;
  int const count = ::epoll_wait(pairs_[pair].epoll.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 == kListenerTag) accept();
    if (events[i].data.u64 == kFrontEndTag) read_messages();
  }
}

// --- the connection ------------------------------------------------------------------------------

void Backend::accept() noexcept {
  if (front_end_) return;
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  // Without a descriptor to spare the front end waits for the next look at its socket.
  if (!socket || !watch(0, socket.get(), kFrontEndTag, EPOLLIN)) return;
  // The others wait in the socket's queue.
  unwatch(0, listener_.get());
  front_end_ = FrontEnd(std::move(socket));
  read_messages();
}

void Backend::disconnect() noexcept {
  stop_queues(true);
  unwatch(0, front_end_.fd());
  front_end_ = FrontEnd();
  features_.store(0, std::memory_order_relaxed);
  protocol_features_ = status_ = 0;
  memory_.reset();
  log_.reset();
  // Watching anew tells of those who wait already.
  if (!watch(0, listener_.get(), kListenerTag, kEdge)) stop(Fault::bad_descriptors);
}

void Backend::read_messages() noexcept {
  for (std::size_t i = 0; i < kMessagesPerTurn && front_end_; ++i) {
    auto letter = front_end_.receive();
    if (!letter) return stop(letter.error());
    if (*letter) {
      auto reply = handle(**letter);
      if (!reply) return stop(reply.error());
      Message const& message = (*letter)->message;
      bool const acknowledge =
          message.needs_reply && !*reply && (protocol_features_ & kProtocolReplyAck) != 0;
      if (acknowledge) *reply = make_reply(message.request, 0);
      if (*reply) {
        if (auto const sent = front_end_.reply(**reply); !sent) return stop(sent.error());
      }
    }
    if (front_end_.ended()) return disconnect();
    if (!*letter) return;
  }
}

// --- messages ------------------------------------------------------------------------------------

Checked<std::optional<Bytes>> Backend::handle(FrontEnd::Letter& letter) noexcept {
  Request const request = letter.message.request;
  auto number = [&](std::uint64_t value) {
    return std::optional<Bytes>(make_reply(request, value));
  };
  switch (request) {
    case Request::get_features: return number(offered_features(pairs_.size()));
    case Request::get_protocol_features: return number(kOfferedProtocol);
    case Request::get_queue_num: return number(pairs_.size());
    case Request::get_status: return number(status_);
    case Request::get_vring_base: {
      auto const& state = std::get<RingState>(letter.message.payload);
      if (auto const known = queue(state.queue); !known) return stop_with(known.error());
      std::uint32_t const base = stop_queue(state.queue, false);
      return std::optional<Bytes>(make_reply(request, RingState{state.queue, base}));
    }
    case Request::set_log_base: {
      auto const applied = apply(letter);
      if (!applied) return stop_with(applied.error());
      return number(0);
    }
    case Request::set_features:
    case Request::set_owner:
    case Request::reset_owner:
    case Request::set_mem_table:
    case Request::set_log_fd:
    case Request::set_vring_num:
    case Request::set_vring_addr:
    case Request::set_vring_base:
    case Request::set_vring_kick:
    case Request::set_vring_call:
    case Request::set_vring_err:
    case Request::set_protocol_features:
    case Request::set_vring_enable:
    case Request::send_rarp:
    case Request::set_status: break;
  }
  auto const applied = apply(letter);
  if (!applied) return stop_with(applied.error());
  return std::optional<Bytes>();
}

Checked<void> Backend::apply(FrontEnd::Letter& letter) noexcept {
  Message const& message = letter.message;
  if (auto const* value = std::get_if<std::uint64_t>(&message.payload)) {
    if (message.request == Request::set_features) return set_features(*value);
    if (message.request == Request::set_protocol_features) {
      if ((*value & ~kOfferedProtocol) != 0) return stop_with(Fault::bad_features);
      protocol_features_ = *value;
    }
    if (message.request == Request::set_status) {
      status_ = *value;
      if (*value == 0) stop_queues(false);
    }
    // send_rarp: the gate knows where the VM is, it holds its port.
    return {};
  }
  if (auto const* state = std::get_if<RingState>(&message.payload)) {
    return apply(*state, message.request);
  }
  if (auto const* addresses = std::get_if<RingAddresses>(&message.payload)) {
    auto const found = queue(addresses->queue);
    return found ? (*found)->set_addresses(*addresses, agreement()) : stop_with(found.error());
  }
  if (auto const* what = std::get_if<RingDescriptor>(&message.payload)) {
    return apply(*what, message.request,
                 what->present ? std::move(letter.descriptors[0]) : UniqueFd());
  }
  if (auto const* area = std::get_if<LogArea>(&message.payload)) {
    return set_log(*area, letter.descriptors[0]);
  }
  if (auto const* table = std::get_if<MemoryTable>(&message.payload)) {
    return set_memory(*table, letter.descriptors);
  }
  if (message.request == Request::reset_owner) stop_queues(false);
  // set_log_fd: an event nobody waits for; the log itself is read by whoever copies the guest.
  return {};
}

Checked<Queue*> Backend::queue(std::uint32_t index) noexcept {
  if (index >= 2 * pairs_.size()) return stop_with(Fault::bad_queue);
  Pair& pair = pairs_[index / 2];
  // Virtual I/O Device 1.2 §5.1.2: receiveq1, transmitq1, receiveq2, …
  return index % 2 == 0 ? pair.to_guest.get() : pair.from_guest.get();
}

Checked<void> Backend::apply(RingState const& state, Request request) noexcept {
  auto const found = queue(state.queue);
  if (!found) return stop_with(found.error());
  if (request == Request::set_vring_num) return (*found)->set_size(state.number);
  if (request == Request::set_vring_base) (*found)->set_base(state.number);
  if (request == Request::set_vring_enable) {
    if (state.number > 1) return stop_with(Fault::bad_payload);
    (*found)->enable(state.number == 1);
    // Frames may wait since before.
    wake(state.queue / 2);
  }
  return {};
}

Checked<void> Backend::apply(RingDescriptor const& what, Request request,
                             UniqueFd descriptor) noexcept {
  auto const found = queue(what.queue);
  if (!found) return stop_with(found.error());
  if (request == Request::set_vring_kick) {
    // The gate does not poll rings that nobody kicks.
    if (!descriptor) return stop_with(Fault::bad_descriptors);
    return start(what.queue, std::move(descriptor));
  }
  if (descriptor && !set_non_blocking(descriptor)) return stop_with(Fault::bad_descriptors);
  if (request == Request::set_vring_call) {
    (*found)->set_call(std::move(descriptor));
  } else {
    (*found)->set_error(std::move(descriptor));
  }
  return {};
}

Checked<void> Backend::set_features(std::uint64_t features) noexcept {
  if ((features & ~offered_features(pairs_.size())) != 0) return stop_with(Fault::bad_features);
  std::uint64_t const changed = features ^ this->features();
  bool running = false;
  for (Pair const& pair : pairs_) {
    running = running || pair.to_guest->started() || pair.from_guest->started();
  }
  // A running ring has the shape that was agreed; only the log comes and goes meanwhile.
  if (running && (changed & ~kLogAll) != 0) return stop_with(Fault::bad_features);
  features_.store(features, std::memory_order_relaxed);
  // The guest has moved, or stays.
  if ((features & kLogAll) == 0) log_.reset();
  return rewire();
}

Checked<void> Backend::set_memory(MemoryTable const& table,
                                  std::span<UniqueFd const> fds) noexcept {
  auto memory = GuestMemory::map(table, fds);
  if (!memory) return stop_with(memory.error());
  memory_ = std::make_shared<GuestMemory const>(*std::move(memory));
  return rewire();
}

Checked<void> Backend::set_log(LogArea const& area, UniqueFd const& descriptor) noexcept {
  if (area.bytes > kLogBytesMax) return stop_with(Fault::bad_log);
  auto mapping = SharedMapping::map(descriptor.get(), area.offset, area.bytes);
  if (!mapping) return stop_with(mapping.error());
  log_ = std::make_shared<DirtyLog const>(*std::move(mapping));
  return rewire();
}

Checked<void> Backend::rewire() noexcept {
  bool const logs = (features() & kLogAll) != 0 && log_ != nullptr && memory_ != nullptr;
  if (logs && !log_->covers(memory_->guest_end())) return stop_with(Fault::bad_log);
  for (Pair const& pair : pairs_) {
    for (Queue* queue : {pair.to_guest.get(), pair.from_guest.get()}) {
      if (auto const wired = queue->rewire(agreement()); !wired) return wired;
    }
  }
  return {};
}

Checked<void> Backend::start(std::uint32_t index, UniqueFd kick) noexcept {
  stop_queue(index, false);
  Queue& queue = **this->queue(index);
  // Rings of a front end without protocol features have no other way of being enabled.
  if ((features() & kProtocolFeatures) == 0) queue.enable(true);
  if (auto const started = queue.start(std::move(kick), agreement()); !started) return started;
  if (index % 2 == 0) return {};  // nobody waits for room
  if (!watch(index / 2, queue.kick(), kEventTag, kEdge)) return stop_with(Fault::bad_descriptors);
  if (queue.usable()) wake(index / 2);
  return {};
}

std::uint32_t Backend::stop_queue(std::uint32_t index, bool forget) noexcept {
  Queue& queue = **this->queue(index);
  // The front end holds the same event: closing our descriptor would leave it watched.
  if (queue.kick() >= 0 && index % 2 == 1) unwatch(index / 2, queue.kick());
  return queue.stop(forget);
}

void Backend::stop_queues(bool forget) noexcept {
  for (std::uint32_t i = 0; i < 2 * pairs_.size(); ++i) stop_queue(i, forget);
}

}  // namespace shamon::vhost_user
