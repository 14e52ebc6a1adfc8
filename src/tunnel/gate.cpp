#include "tunnel/gate.hpp"

#include <array>
#include <cerrno>

#include <sys/epoll.h>

#include "base/clock.hpp"
#include "tunnel/gate_statistics.hpp"

namespace shamon {

namespace {

constexpr std::uint64_t kListenTag = 1, kClientTag = 2, kUnderlayTag = 3, kStopTag = 4;
constexpr std::uint64_t kPortTag = std::uint64_t{1} << 32;  ///< plus the port's id

std::uint64_t tag_of(Port const& port) noexcept {
  return kPortTag | port.id.value();
}

}  // namespace

Result<std::unique_ptr<Gate>> Gate::create(Underlay underlay, std::uint16_t underlay_mtu,
                                           ControlServer control) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll_create1");
  std::unique_ptr<Gate> gate(
      new Gate(std::move(underlay), underlay_mtu, std::move(control), std::move(epoll)));
  Status watched = gate->watch(gate->underlay_.fd(), kUnderlayTag, EPOLLIN, true);
  if (watched) watched = gate->watch(gate->control_.listen_fd(), kListenTag, EPOLLIN, true);
  if (!watched) return pass(watched);
  return gate;
}

Gate::Gate(Underlay underlay, std::uint16_t underlay_mtu, ControlServer control, UniqueFd epoll)
    : underlay_(std::move(underlay)),
      control_(std::move(control)),
      epoll_(std::move(epoll)),
      trail_([this](gate::Audit audit) {
        audit.lost_total = control_.lost();
        control_.send(audit, ControlServer::IfFull::drop_and_count);
      }),
      monitor_([this](AuditRecord const& record) {
        trail_.record(record, monitor_.policy(), read_monotonic_clock());
      }),
      forwarder_(
          monitor_, trail_, ports_, associations_, routes_,
          {[this](Endpoint peer, std::span<std::uint8_t> bytes, std::size_t segment_bytes) {
             return underlay_.send(peer, bytes, segment_bytes);
           },
           [this](HostName const& peer, LabelName const& label, PathId path, Instant now) {
             want_association(peer, label, path, now);
           },
           [this](Port& port) { remove_port(port, "the other side is gone"); }, &read_wall_clock}),
      port_buffer_(kPortBufferBytes) {
  forwarder_.set_tunnel_mtu(esp_inner_mtu(underlay_mtu));
}

Status Gate::watch(int fd, std::uint64_t tag, std::uint32_t events, bool fresh) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0) {
    return fail_errno("epoll_ctl");
  }
  return {};
}

Status Gate::run(int stop) {
  if (Status watched = watch(stop, kStopTag, EPOLLIN, true); !watched) return watched;
  std::array<epoll_event, 64> events{};
  for (;;) {
    int const wait_ms = static_cast<int>(kTick.count());
    int const count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms);
    if (count < 0 && errno != EINTR) return fail_errno("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kStopTag) return {};
      dispatch(events[i].data.u64, events[i].events);
    }
    Instant const now = read_monotonic_clock();
    if (now >= next_tick_) tick(now);
    if (control_.connected() && control_.wants_write() != control_writable_watched_) {
      control_writable_watched_ = control_.wants_write();
      std::uint32_t const wanted = control_writable_watched_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
      (void)watch(control_.client_fd(), kClientTag, wanted, false);
    }
  }
}

void Gate::dispatch(std::uint64_t tag, std::uint32_t events) {
  if (tag == kUnderlayTag) return underlay_turn();
  if (tag == kListenTag) return accept_client();
  if (tag == kClientTag) return control_turn(events);
  // The port may have gone in this very round; then there is nothing to do.
  if (Port* const port = ports_.find(PortId(static_cast<std::uint32_t>(tag)))) {
    port_turn(*port, events);
  }
}

void Gate::port_turn(Port& port, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && port.driver->flush() == PortDriver::Outcome::closed) {
    return remove_port(port, "the other side is gone");
  }
  PortId const id = port.id;
  bool closed = false;
  Instant now = read_monotonic_clock();
  for (std::size_t i = 0; i < kPortFramesPerTurn; ++i) {
    auto const frame = port.driver->receive(port_buffer_);
    if (!frame) {
      closed = frame.error() == PortDriver::Outcome::closed;
      break;
    }
    now = read_monotonic_clock();
    forwarder_.from_port(port, *frame, now);
  }
  forwarder_.end_of_turn(now);
  Port* const still = ports_.find(id);
  if (still == nullptr) return;
  if (closed) return remove_port(*still, "the other side is gone");
  // Only a stream can have part of a frame left over.
  std::uint32_t const wanted = still->driver->wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if ((events & EPOLLOUT) != 0 || wanted != EPOLLIN) {
    (void)watch(still->driver->fd(), tag_of(*still), wanted, false);
  }
}

void Gate::underlay_turn() {
  std::span<Underlay::Run const> const runs = underlay_.receive();
  Instant const now = read_monotonic_clock();
  for (Underlay::Run const& run : runs) {
    forwarder_.from_underlay(run.bytes, run.segment_bytes, now);
  }
  forwarder_.end_of_turn(now);
  ports_.for_each([this](Port& port) {
    if (!port.driver->wants_write()) return;
    (void)watch(port.driver->fd(), tag_of(port), EPOLLIN | EPOLLOUT, false);
  });
}

void Gate::accept_client() {
  if (!control_.accept()) return;
  greeted_ = false;
  control_writable_watched_ = false;
  if (!watch(control_.client_fd(), kClientTag, EPOLLIN, true)) control_.disconnect();
}

void Gate::control_turn(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) control_.flush();
  for (std::size_t i = 0; i < kControlMessagesPerTurn && control_.connected(); ++i) {
    auto command = control_.receive();
    if (!command) return control_.disconnect();
    if (!*command) return;
    execute(std::move(**command));
  }
}

void Gate::tick(Instant now) {
  next_tick_ = now + kTick;
  for (AssociationId id : associations_.ids()) {
    Association& association = *associations_.find(id);
    if (association.outlived(now)) {
      end_association(id, gate::CloseReason::rekeyed, 0);
    } else if (association.expired(now)) {
      end_association(id, gate::CloseReason::expired, 0);
    } else if (association.take_rekey_wish(now)) {
      gate::RekeyWanted wanted;
      wanted.association = id.value();
      wanted.peer = to_name(association.spec().peer_name.value());
      wanted.label = to_name(association.spec().label.value());
      control_.send(wanted);
    }
  }
  if (now < next_tell_) return;
  next_tell_ = now + kAuditFold;
  forwarder_.tell_repeats(now);
}

void Gate::remove_port(Port& port, std::string_view fault) {
  gate::PortFault message;
  message.port = port.id.value();
  std::copy_n(fault.begin(), std::min(fault.size(), message.text.size() - 1), message.text.begin());
  control_.send(message);
  closed_ += port.counters;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port.driver->fd(), nullptr);
  ports_.detach(port.id);
}

void Gate::want_association(HostName const& peer, LabelName const& label, PathId path,
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
  control_.send(message, ControlServer::IfFull::drop);
}

LabelId Gate::label_id(LabelName const& label) const {
  return monitor_.policy().find_label(label).value_or(kNoLabel);
}

}  // namespace shamon
