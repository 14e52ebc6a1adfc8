// Child processes: started with exactly the descriptors, user and namespace they are meant to have.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/fd.hpp"
#include "base/time.hpp"

namespace shamon {

struct ProcessSpec {
  std::vector<std::string> arguments;  ///< [0] is the program, looked up in PATH
  std::vector<std::pair<std::string, std::string>>
      environment{};          ///< added to PATH, HOME, TERM, LANG
  std::string output_path{};  ///< standard output and error are appended here; empty: inherited
  int stdio = -1;  ///< both its standard input and output, such as a socket; -1: none, and as above
  std::string network_namespace{};  ///< a name below /run/netns; empty: ours
  std::optional<uid_t> uid{};       ///< and as gid, with no supplementary groups
  /// Passed from descriptor 3 on, named in LISTEN_FDNAMES (sd_listen_fds(3) without the pid check).
  std::vector<std::pair<std::string, int>> descriptors{};
  bool dies_with_parent = false;  ///< PR_SET_PDEATHSIG: killed when the spawning thread ends
  bool own_session = true;        ///< not reached by the terminal's signals
};

/// A child. Destruction does not end it unless `kill_on_drop` was set.
class Process {
 public:
  Process() noexcept = default;
  static Result<Process> spawn(ProcessSpec const& spec);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const noexcept { return pid_; }
  int pidfd() const noexcept { return pidfd_.get(); }  ///< readable once it has ended
  bool running();
  /// Exit status as a shell has it (128 + signal), once ended within `limit`.
  std::optional<int> wait(Duration limit);
  Status signal(int number);
  /// SIGTERM, then SIGKILL after `grace`; reaps.
  void end(Duration grace = std::chrono::seconds(2));
  void kill_on_drop(bool on) noexcept { kill_on_drop_ = on; }
  pid_t release() noexcept;  ///< forget it: someone else ends it by pid

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<int> status_;
  bool kill_on_drop_ = false;
};

struct ProcessOutput {
  int status = 0;
  std::string text;
};  ///< standard output and error together

/// Runs a program to its end. Errors: `system` if it cannot start, `timeout` (it is then killed).
Result<ProcessOutput> run_process(
    std::vector<std::string> const& arguments, Duration limit = std::chrono::seconds(30),
    std::vector<std::pair<std::string, std::string>> environment = {});
/// The same, where any status but 0 is an error that carries the output.
Status run_checked(std::vector<std::string> const& arguments,
                   Duration limit = std::chrono::seconds(30),
                   std::vector<std::pair<std::string, std::string>> environment = {});

/// Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat): with the pid it
/// names a process for ever. None if there is no such process.
std::optional<std::uint64_t> process_start_ticks(pid_t pid);

/// The named descriptors this process was given (LISTEN_FDNAMES); takes them over, close-on-exec.
std::vector<std::pair<std::string, UniqueFd>> take_passed_descriptors();

}  // namespace shamon
