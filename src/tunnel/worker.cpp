#include "tunnel/worker.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "tunnel/gate_statistics.hpp"

namespace shamon {

namespace {

constexpr std::uint64_t kUnderlayTag = 1, kBellTag = 2;  // and Worker::kServicesTag
constexpr Instant kNever{std::numeric_limits<std::int64_t>::max()};

/// The control side's decisions are the same in every worker; only the first one tells them.
bool is_flow(AuditRecord const& record) noexcept {
  return record.hook == Hook::flow_in || record.hook == Hook::flow_out;
}

/// As epoll has it; rounded up, so that what was waited for is due then.
int milliseconds_until(Instant due, Instant now) noexcept {
  if (due == kNever) return -1;
  return static_cast<int>((due - now) / std::chrono::milliseconds(1)) + 1;
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(WorkerPlace place, Underlay underlay,
                                               GateOptions const& options,
                                               std::function<void(WorkerNotice const&)> notify) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll_create1");
  UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return fail_errno("eventfd");
  std::unique_ptr<Worker> worker(new Worker(place, std::move(underlay), options, std::move(notify),
                                            std::move(epoll), std::move(bell)));
  Status watched = worker->watch(worker->underlay_.fd(), kUnderlayTag, EPOLLIN, true);
  if (watched) watched = worker->watch(worker->bell_.get(), kBellTag, EPOLLIN, true);
  if (!watched) return pass(watched);
  return worker;
}

Worker::Worker(WorkerPlace place, Underlay underlay, GateOptions const& options,
               std::function<void(WorkerNotice const&)> notify, UniqueFd epoll, UniqueFd bell)
    : place_(place),
      underlay_(std::move(underlay)),
      busy_poll_(options.busy_poll),
      notify_(std::move(notify)),
      epoll_(std::move(epoll)),
      bell_(std::move(bell)),
      trail_([this](gate::Audit const& audit) { notify_(audit); }),
      monitor_([this](AuditRecord const& record) {
        if (place_.index != 0 && !is_flow(record)) return;
        trail_.record(record, monitor_.policy(), read_monotonic_clock());
      }),
      associations_(place),
      forwarder_(monitor_, trail_, ports_, associations_, routes_,
                 {[this](Endpoint const& peer, Underlay::Run const& run) {
                    return underlay_.send(peer, run);
                  },
                  [this](HostName const& peer, LabelName const& label, PathId path, Instant now) {
                    want_association(peer, label, path, now);
                  },
                  [this](Port& port) { lose_port(port); },
                  [this](Port& port, std::span<std::uint8_t> frame, Instant now) {
                    return serve(port, frame, now);
                  },
                  &read_wall_clock}),
      port_buffer_(kPortBufferBytes) {
  forwarder_.set_tunnel_mtu(options.tunnel_mtu);
  forwarder_.copy_dscp(options.copy_dscp);
}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  run([this] { ended_ = true; });
  thread_.join();
}

void Worker::start() {
  thread_ = std::thread([this] {
    // A loop that cannot wait any more would spin; without it nothing passes, which is safe.
    while (!ended_ && turn([](std::uint64_t, std::uint32_t) {})) {
    }
  });
  // A thread makes system calls of its own when it begins; the filter may come only after them.
  run([] {});
}

void Worker::run(std::function<void()> const& task) {
  if (!thread_.joinable()) return task();
  std::latch done(1);
  task_ = &task;
  done_ = &done;
  // The bell is a release, its reading an acquire: the worker sees what stands above.
  std::uint64_t const one = 1;
  while (::write(bell_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  done.wait();
}

Status Worker::watch(int fd, std::uint64_t tag, std::uint32_t events, bool fresh) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0) {
    return fail_errno("epoll_ctl");
  }
  return {};
}

Status Worker::turn(std::function<void(std::uint64_t, std::uint32_t)> const& other) {
  std::array<epoll_event, 64> events{};
  int const count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms_);
  if (count < 0 && errno != EINTR) return fail_errno("epoll_wait");
  for (int i = 0; i < count; ++i) {
    std::uint64_t const tag = events[i].data.u64;
    if (tag > kServicesTag && tag < kPortTag) {
      other(tag, events[i].events);
    } else {
      dispatch(tag, events[i].events);
    }
  }
  Instant const now = read_monotonic_clock();
  if (count > 0) {
    next_tick_ = std::min(next_tick_, now + kTick);
    poll_until_ = now + busy_poll_;
  }
  if (now >= next_tick_) tick(now);
  Instant const due = std::min(next_tick_, end_rests(now));
  wait_ms_ = now < poll_until_ ? 0 : milliseconds_until(due, now);
  return {};
}

void Worker::dispatch(std::uint64_t tag, std::uint32_t events) {
  if (tag == kUnderlayTag) return underlay_turn();
  if (tag == kBellTag) {
    std::uint64_t rings = 0;
    if (::read(bell_.get(), &rings, sizeof rings) < 0) return;
    (*task_)();
    return done_->count_down();
  }
  if (tag == kServicesTag) return services_turn();
  // The port may have gone in this very round; then there is nothing to do.
  if (Port* const port = ports_.find(PortId(static_cast<std::uint32_t>(tag)))) {
    port_turn(*port, events);
  }
}

void Worker::port_turn(Port& port, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && port.driver->flush() == PortDriver::Outcome::closed) {
    return lose_port(port);
  }
  bool closed = false;
  Instant now = read_monotonic_clock();
  std::uint64_t const passed_before = port.counters.packets_in;
  std::size_t frames = 0;
  for (; frames < kPortFramesPerTurn || port.driver->holds_frames(); ++frames) {
    auto const frame = port.driver->receive(port_buffer_);
    if (!frame) {
      closed = frame.error() == PortDriver::Outcome::closed;
      break;
    }
    now = read_monotonic_clock();
    forwarder_.from_port(port, *frame, now);
  }
  end_of_turn(now);
  if (closed) return lose_port(port);
  std::uint32_t wanted = EPOLLIN;
  if (should_rest(port, frames, port.counters.packets_in - passed_before, now)) {
    resting_.emplace_back(port.id, now + kRefusedRest);
    wanted = 0;
  }
  // Only a stream can have part of a frame left over.
  if (port.driver->wants_write()) wanted |= EPOLLOUT;
  if ((events & EPOLLOUT) != 0 || wanted != EPOLLIN) {
    (void)watch(port.driver->fd(), kPortTag | port.id.value(), wanted, false);
  }
}

bool Worker::should_rest(Port const& port, std::uint64_t frames, std::uint64_t passed,
                         Instant now) {
  Heard& heard = heard_[port.id];
  if (now - heard.since >= kRefusedRest) heard = {now};
  heard.frames += frames;
  heard.passed += passed;
  return heard.frames >= kPortFramesPerTurn && heard.passed <= heard.frames / 2;
}

Instant Worker::end_rests(Instant now) {
  for (; !resting_.empty() && now >= resting_.front().second; resting_.pop_front()) {
    Port* const port = ports_.find(resting_.front().first);
    if (port == nullptr) continue;
    std::uint32_t const writer = port->driver->wants_write() ? std::uint32_t{EPOLLOUT} : 0;
    (void)watch(port->driver->fd(), kPortTag | port->id.value(), EPOLLIN | writer, false);
  }
  return resting_.empty() ? kNever : resting_.front().second;
}

void Worker::end_of_turn(Instant now) {
  untold_ = true;
  forwarder_.end_of_turn(now);
  ports_.for_each([](Port& port) { port.driver->end_of_turn(); });
}

void Worker::underlay_turn() {
  std::span<Underlay::Run const> const runs = underlay_.receive();
  Instant const now = read_monotonic_clock();
  for (Underlay::Run const& run : runs) forwarder_.from_underlay(run, now);
  end_of_turn(now);
  watch_writers();
}

void Worker::services_turn() {
  for (std::size_t i = 0; services_ && i < kPortFramesPerTurn; ++i) {
    auto const datagram = services_->receive(port_buffer_);
    if (!datagram) {
      if (datagram.error() == PortDriver::Outcome::closed) end_services();
      break;
    }
    std::uint32_t port = 0;
    if (datagram->bytes.size() < sizeof port) continue;
    std::memcpy(&port, datagram->bytes.data(), sizeof port);
    // It may have been detached meanwhile.
    if (Port* const to = ports_.find(PortId(port))) {
      forwarder_.from_services(*to, datagram->bytes.subspan(sizeof port));
    }
  }
  end_of_turn(read_monotonic_clock());
}

/// A VM that asks too much is not heard, and neither is any while the host monitor does not read.
bool Worker::serve(Port& port, std::span<std::uint8_t> frame, Instant now) {
  if (!services_) return false;
  Asked& asked = asked_[port.id];
  if (now - asked.since >= std::chrono::seconds(1)) asked = {now, 0};
  std::uint32_t id = port.id.value();
  std::array<iovec, 3> parts{iovec{}, iovec{&id, sizeof id}, iovec{frame.data(), frame.size()}};
  bool const may =
      frame.size() <= kServiceFrameBytesMax && ++asked.frames <= kServiceFramesPerSecond;
  auto const sent = may ? services_->send({}, parts) : PortDriver::Outcome::busy;
  if (sent != PortDriver::Outcome::done) ++port.counters.dropped_full;
  if (sent == PortDriver::Outcome::closed) end_services();
  return true;
}

void Worker::end_services() {
  // Other workers have copies of the descriptor, so closing ours would leave it in the set.
  if (services_ && services_->fd() >= 0) {
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, services_->fd(), nullptr);
  }
  services_.reset();
}

/// A stream that took part of a frame is flushed when it can take more, by the worker that reads
/// it. A worker that only writes tries again with the tick; true if it has to.
bool Worker::watch_writers() {
  bool again = false;
  ports_.for_each([&](Port& port) {
    if (!port.driver->wants_write()) return;
    if (port.driver->fd() < 0) {
      again |= port.driver->flush() == PortDriver::Outcome::busy;
    } else {
      (void)watch(port.driver->fd(), kPortTag | port.id.value(), EPOLLIN | EPOLLOUT, false);
    }
  });
  return again;
}

/// Looks at everything that becomes due without an event of its own, and when to look again:
/// packets and commands bring the next tick by themselves (turn), so only time is asked for here.
void Worker::tick(Instant now) {
  Instant due = watch_writers() ? now : kNever;
  for (AssociationId id : associations_.ids()) {
    Association& association = *associations_.find(id);
    if (association.outlived(now)) {
      notify_(AssociationDue{id, gate::CloseReason::rekeyed});
    } else if (association.expired(now)) {
      notify_(AssociationDue{id, gate::CloseReason::expired});
      due = now;  // told until the gate has closed it, since a notice may be lost
    } else if (association.take_rekey_wish(now)) {
      gate::RekeyWanted wanted;
      wanted.association = id.value();
      wanted.peer = to_name(association.spec().peer_name.value());
      wanted.label = to_name(association.spec().label.value());
      notify_(wanted);
    }
    due = std::min(due, association.next_due());
  }
  if (untold_ && now >= next_tell_) {
    forwarder_.tell_repeats(now);
    next_tell_ = now + kAuditFold;
    untold_ = false;
  }
  if (untold_) due = std::min(due, next_tell_);
  next_tick_ = std::max(due, now + kTick);
}

/// The gate takes it from every worker; until then nothing of it is looked at here.
void Worker::lose_port(Port& port) {
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port.driver->fd(), nullptr);
  notify_(PortGone{port.id, std::string(port.driver->fault())});
}

void Worker::want_association(HostName const& peer, LabelName const& label, PathId path,
                              Instant now) {
  auto const found = wanted_.find(path.value());
  if (found != wanted_.end() && now - found->second < kWantedInterval) return;
  if (wanted_.size() >= kWantedMax) {
    std::erase_if(wanted_, [&](auto const& e) { return now - e.second >= kWantedInterval; });
    if (wanted_.size() >= kWantedMax) return;
  }
  wanted_[path.value()] = now;
  gate::AssociationWanted message;
  message.peer = to_name(peer.value());
  message.label = to_name(label.value());
  notify_(message);
}

LabelId Worker::label_id(LabelName const& label) const {
  return monitor_.policy().find_label(label).value_or(kNoLabel);
}

Counters Worker::unowned() noexcept {
  Counters sum = closed_;
  sum += forwarder_.stray();
  return sum;
}

}  // namespace shamon
