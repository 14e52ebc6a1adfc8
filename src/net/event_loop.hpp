// One thread, epoll, timers. Daemons run on it; nothing that decides knows of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/time.hpp"

namespace shamon {

class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t epoll_events)>;
  using Task = std::function<void()>;
  enum class TimerId : std::uint64_t {};

  EventLoop();
  ~EventLoop();
  EventLoop(EventLoop const&) = delete;
  EventLoop& operator=(EventLoop const&) = delete;

  /// Calls `handler` when `fd` has any of `events` (EPOLLIN, EPOLLOUT, …). The fd stays the
  /// caller's.
  void watch(int fd, std::uint32_t events, Handler handler);
  void change(int fd, std::uint32_t events);
  void unwatch(int fd);  ///< safe inside a handler, also its own

  TimerId at(Instant when, Task task);
  TimerId after(Duration delay, Task task) { return at(now() + delay, std::move(task)); }
  void cancel(TimerId timer);  ///< unknown or past timers are ignored

  /// Runs `task` on the loop's thread soon. The only call another thread may make.
  void post(Task task);
  /// Calls `task` on each delivery of the signal (signalfd).
  void on_signal(int signal_number, Task task);

  void run();  ///< until stop()
  void stop();
  /// Runs until `done` returns true or `limit` has passed; returns done().
  bool run_until(std::function<bool()> const& done, Duration limit);
  Instant now() const noexcept { return read_monotonic_clock(); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shamon
