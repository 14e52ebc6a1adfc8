#include "net/event_loop.hpp"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "net/limits.hpp"

namespace shamon {
namespace {

constexpr Duration kForever = std::chrono::hours(24);

struct Watch {
  std::uint32_t generation = 0;  ///< tells this watch from an earlier one of the same number
  std::shared_ptr<EventLoop::Handler> handler;
};

/// Whole milliseconds, rounded up: a timer never fires early.
int wait_ms(Duration wait) {
  auto const ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 24 * 3600 * 1000));
}

}  // namespace

struct EventLoop::State {
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd wakeup{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::vector<Watch> watches;  ///< by descriptor
  std::uint32_t next_generation = 1;
  std::map<std::pair<Instant, std::uint64_t>, Task> timers;
  std::unordered_map<std::uint64_t, Instant> timer_times;
  std::uint64_t next_timer = 1;
  std::map<int, Task> signal_tasks;
  sigset_t signals_blocked_by_us;
  UniqueFd signal_fd;
  std::mutex posted_mutex;  ///< guards posted; the only state another thread touches
  std::vector<Task> posted;
  bool stopping = false;

  void dispatch(epoll_event const& event) {
    auto const fd = static_cast<std::size_t>(event.data.u64 & 0xffff'ffff);
    auto const generation = static_cast<std::uint32_t>(event.data.u64 >> 32);
    // An earlier handler of the same batch may have unwatched this descriptor.
    if (fd >= watches.size() || watches[fd].generation != generation) return;
    std::shared_ptr<Handler> const handler = watches[fd].handler;
    (*handler)(event.events);
  }

  void run_posted() {
    std::uint64_t count = 0;
    while (::read(wakeup.get(), &count, sizeof count) > 0) {
    }
    std::vector<Task> tasks;
    {
      std::lock_guard const lock(posted_mutex);
      tasks.swap(posted);
    }
    for (Task& task : tasks) task();
  }

  void run_timers(Instant now) {
    // Timers set meanwhile wait for the next turn, so that descriptors get theirs.
    std::uint64_t const end = next_timer;
    for (auto first = timers.begin(); first != timers.end() && first->first.first <= now;) {
      if (first->first.second >= end) {
        ++first;
        continue;
      }
      Task const task = std::move(first->second);
      timer_times.erase(first->first.second);
      timers.erase(first);
      task();
      first = timers.begin();
    }
  }

  void read_signals() {
    signalfd_siginfo info;
    while (::read(signal_fd.get(), &info, sizeof info) == sizeof info) {
      auto const found = signal_tasks.find(static_cast<int>(info.ssi_signo));
      if (found == signal_tasks.end()) continue;
      Task const task = found->second;
      task();
    }
  }

  void turn(Duration limit, Instant now) {
    if (!timers.empty()) limit = std::min(limit, timers.begin()->first.first - now);
    std::array<epoll_event, kEventsPerWait> events;
    int const count = ::epoll_wait(epoll.get(), events.data(), kEventsPerWait, wait_ms(limit));
    SHAMON_ASSERT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) dispatch(events[static_cast<std::size_t>(i)]);
    run_timers(read_monotonic_clock());
  }
};

EventLoop::EventLoop() : state_(std::make_unique<State>()) {
  SHAMON_ASSERT(state_->epoll && state_->wakeup);
  sigemptyset(&state_->signals_blocked_by_us);
  watch(state_->wakeup.get(), EPOLLIN, [this](std::uint32_t) { state_->run_posted(); });
}

EventLoop::~EventLoop() {
  // Handlers may own what watches descriptors here; let them go while the loop still stands.
  auto const watches = std::exchange(state_->watches, {});
  auto const timers = std::exchange(state_->timers, {});
  auto const posted = std::exchange(state_->posted, {});
  pthread_sigmask(SIG_UNBLOCK, &state_->signals_blocked_by_us, nullptr);
}

void EventLoop::watch(int fd, std::uint32_t events, Handler handler) {
  SHAMON_ASSERT(fd >= 0);
  auto const index = static_cast<std::size_t>(fd);
  if (state_->watches.size() <= index) state_->watches.resize(index + 1);
  Watch& watch = state_->watches[index];
  SHAMON_ASSERT(!watch.handler);
  watch.generation = state_->next_generation++;
  watch.handler = std::make_shared<Handler>(std::move(handler));
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{watch.generation} << 32 | static_cast<std::uint32_t>(fd);
  SHAMON_ASSERT(::epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void EventLoop::change(int fd, std::uint32_t events) {
  auto const index = static_cast<std::size_t>(fd);
  SHAMON_ASSERT(fd >= 0 && index < state_->watches.size() && state_->watches[index].handler);
  epoll_event event{};
  event.events = events;
  event.data.u64 =
      std::uint64_t{state_->watches[index].generation} << 32 | static_cast<std::uint32_t>(fd);
  SHAMON_ASSERT(::epoll_ctl(state_->epoll.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd) {
  auto const index = static_cast<std::size_t>(fd);
  if (fd < 0 || index >= state_->watches.size() || !state_->watches[index].handler) return;
  // The handler's captures may end here and call back into this loop: free it last.
  Watch const gone = std::exchange(state_->watches[index], {});
  ::epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::at(Instant when, Task task) {
  std::uint64_t const id = state_->next_timer++;
  state_->timers.emplace(std::pair{when, id}, std::move(task));
  state_->timer_times.emplace(id, when);
  return TimerId{id};
}

void EventLoop::cancel(TimerId timer) {
  auto const found = state_->timer_times.find(static_cast<std::uint64_t>(timer));
  if (found == state_->timer_times.end()) return;
  auto const gone = state_->timers.extract({found->second, found->first});
  state_->timer_times.erase(found);
}

void EventLoop::post(Task task) {
  {
    std::lock_guard const lock(state_->posted_mutex);
    state_->posted.push_back(std::move(task));
  }
  std::uint64_t const one = 1;
  // A full counter means that a wakeup is pending already.
  [[maybe_unused]] ssize_t const written = ::write(state_->wakeup.get(), &one, sizeof one);
}

void EventLoop::on_signal(int signal_number, Task task) {
  state_->signal_tasks[signal_number] = std::move(task);
  sigset_t all, before;
  sigemptyset(&all);
  for (auto const& [number, unused] : state_->signal_tasks) sigaddset(&all, number);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  if (sigismember(&before, signal_number) == 0) {
    sigaddset(&state_->signals_blocked_by_us, signal_number);
  }
  int const fd = ::signalfd(state_->signal_fd ? state_->signal_fd.get() : -1, &all,
                            SFD_CLOEXEC | SFD_NONBLOCK);
  SHAMON_ASSERT(fd >= 0);
  if (state_->signal_fd) return;
  state_->signal_fd.reset(fd);
  watch(fd, EPOLLIN, [this](std::uint32_t) { state_->read_signals(); });
}

void EventLoop::run() {
  while (!std::exchange(state_->stopping, false)) state_->turn(kForever, now());
}

void EventLoop::stop() {
  state_->stopping = true;
}

bool EventLoop::run_until(std::function<bool()> const& done, Duration limit) {
  Instant const end = now() + limit;
  while (!done()) {
    Instant const at = now();
    if (at >= end || state_->stopping) return done();
    state_->turn(end - at, at);
  }
  return true;
}

}  // namespace shamon
