// Child processes that never outlive us and are always reaped.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace shamon {

struct ProcessOptions {
  std::vector<std::string> arguments;  ///< [0] is the program, searched in PATH
  std::vector<int> inherited;          ///< descriptors the child keeps under the same numbers
  std::string log_path;                ///< standard output and error are appended here
};

/// A running child in a session of its own. Destruction kills and reaps it; if our process ends,
/// however it ends, the kernel kills it. Not thread-safe; may be moved between threads.
class ChildProcess {
 public:
  ChildProcess() noexcept = default;
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const noexcept { return pid_; }
  /// Readable once the process has ended.
  int pid_fd() const noexcept { return pid_fd_.get(); }
  bool has_ended() const;
  /// Waits until it ended and reaps it. Shape: exit status, or 128 + signal. Error: `timeout`.
  Result<int> wait(std::chrono::milliseconds timeout);
  void send_signal(int signal) const noexcept;
  /// SIGKILL and reap. Does nothing when there is no process.
  void kill() noexcept;

 private:
  friend class ProcessStarter;
  pid_t pid_ = -1;
  UniqueFd pid_fd_;
};

/// Starts processes from one thread that lives as long as this object: the kernel sends the
/// parent-death signal when the *thread* that forked ends (prctl(2)), so a worker thread must not
/// fork. Thread-safe. Keep it alive while its processes shall live.
class ProcessStarter {
 public:
  ProcessStarter();
  ~ProcessStarter();
  /// Errors: `system` if the program does not exist or cannot be executed.
  Result<ChildProcess> start(ProcessOptions const& options);

 private:
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

/// The end of a log file on one line, for error messages.
std::string log_tail(std::string const& path);

}  // namespace shamon
