#include "tunnel/gate.hpp"

#include <cerrno>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace shamon {

namespace {

constexpr std::uint64_t kListenTag = 16, kClientTag = 17, kNoticesTag = 18, kStopTag = 19,
                        kSharesTag = 20;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

Result<std::unique_ptr<Notices>> Notices::create() {
  UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return fail_errno("eventfd");
  return std::unique_ptr<Notices>(new Notices(std::move(bell)));
}

void Notices::put(WorkerNotice const& notice) {
  std::lock_guard const lock(mutex_);
  if (waiting_.size() >= kControlQueueMax && std::holds_alternative<gate::Audit>(notice)) {
    ++lost_;
    return;
  }
  waiting_.push_back(notice);
  if (std::this_thread::get_id() == gate_thread_) return;  // it looks after every turn
  std::uint64_t const one = 1;
  (void)!::write(bell_.get(), &one, sizeof one);
}

std::deque<WorkerNotice> Notices::take() {
  std::lock_guard const lock(mutex_);
  return std::exchange(waiting_, {});
}

std::uint32_t Notices::take_lost() {
  std::lock_guard const lock(mutex_);
  return std::exchange(lost_, 0);
}

Result<std::unique_ptr<Gate>> Gate::create(std::vector<Underlay> underlays,
                                           GateOptions const& options, ControlServer control,
                                           std::optional<UnderlayFilter> filter) {
  auto notices = Notices::create();
  if (!notices) return pass(notices);
  auto shares = SharedMemory::create();
  if (!shares) return pass(shares);
  std::unique_ptr<Gate> gate(new Gate(std::move(control), *std::move(notices), *std::move(shares)));
  WorkerPlace place{0, static_cast<unsigned>(underlays.size())};
  gate->filter_ = std::move(filter);
  for (Underlay& underlay : underlays) {
    if (gate->filter_) {
      Status const attached = gate->filter_->attach(underlay.fd());
      if (!attached) return pass(attached);
    }
    auto worker =
        Worker::create(place, std::move(underlay), options,
                       [&all = *gate->notices_](WorkerNotice const& notice) { all.put(notice); });
    if (!worker) return pass(worker);
    gate->workers_.push_back(*std::move(worker));
    if (place.index++ != 0) gate->workers_.back()->start();
  }
  Worker& first = *gate->workers_[0];
  Status watched = first.watch(gate->control_.listen_fd(), kListenTag, EPOLLIN, true);
  if (watched) watched = first.watch(gate->notices_->fd(), kNoticesTag, EPOLLIN, true);
  if (watched) watched = first.watch(gate->shares_.fd(), kSharesTag, EPOLLIN, true);
  if (!watched) return pass(watched);
  return gate;
}

Status Gate::run(int stop) {
  Worker& first = *workers_[0];
  if (Status watched = first.watch(stop, kStopTag, EPOLLIN, true); !watched) return watched;
  bool stopped = false;
  std::function<void(std::uint64_t, std::uint32_t)> const look = [&](std::uint64_t tag,
                                                                     std::uint32_t events) {
    if (tag == kStopTag) stopped = true;
    if (tag == kListenTag) accept_client();
    if (tag == kClientTag) control_turn(events);
    if (tag == kSharesTag) shares_turn();
    if (tag == kNoticesTag) {
      std::uint64_t rings = 0;
      (void)!::read(notices_->fd(), &rings, sizeof rings);
    }
  };
  while (!stopped) {
    if (Status turned = first.turn(look); !turned) return turned;
    take_notices();
    if (control_.connected() && control_.wants_write() != control_writable_watched_) {
      control_writable_watched_ = control_.wants_write();
      std::uint32_t const wanted = control_writable_watched_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
      (void)first.watch(control_.client_fd(), kClientTag, wanted, false);
    }
  }
  return {};
}

void Gate::accept_client() {
  if (!control_.accept()) return;
  greeted_ = false;
  control_writable_watched_ = false;
  if (!workers_[0]->watch(control_.client_fd(), kClientTag, EPOLLIN, true)) control_.disconnect();
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

void Gate::take_notices() {
  control_.count_lost(notices_->take_lost());
  for (WorkerNotice const& notice : notices_->take()) take(notice);
}

void Gate::take(WorkerNotice const& notice) {
  std::visit(Overloaded{
                 [&](gate::Audit audit) {
                   audit.lost_total = control_.lost();
                   control_.send(audit, ControlServer::IfFull::drop_and_count);
                 },
                 [&](gate::AssociationWanted const& wanted) {
                   control_.send(wanted, ControlServer::IfFull::drop);
                 },
                 [&](gate::RekeyWanted const& wanted) { control_.send(wanted); },
                 [&](AssociationDue const& due) {
                   // Every worker says so; the first time it goes.
                   (void)end_association(due.association, due.reason, 0);
                 },
                 [&](PortGone const& gone) { remove_port(gone.port, gone.fault); },
             },
             notice);
}

void Gate::remove_port(PortId id, std::string_view fault) {
  if (!detach_port(id)) return;
  gate::PortFault message;
  message.port = id.value();
  std::copy_n(fault.begin(), std::min(fault.size(), message.text.size() - 1), message.text.begin());
  control_.send(message);
}

}  // namespace shamon
