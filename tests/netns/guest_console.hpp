// The shell that a guest of ours has on its serial line.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "netns/gate_lab.hpp"

namespace shamon::netns {

class GuestConsole {
 public:
  /// `path`: the line's UNIX socket. False as a bool if nobody listens there.
  explicit GuestConsole(std::string const& path);
  explicit operator bool() const { return static_cast<bool>(fd_); }

  /// What the command printed, in lines that end in \n, and its exit status. Status -1: nothing
  /// came back in time, and the output is what the line said instead. The command is typed once.
  Ran run(std::string const& command, int seconds_max = 40);
  /// Starts a command that has no single quotes and runs on by itself. (A job of the shell would
  /// not: BusyBox's shell ends soon after one was started, and takes it along.)
  bool start(std::string const& command);

 private:
  bool type(std::string const& line);
  /// Reads until `mark` was said, for that long at most.
  bool hear(std::string const& mark, int milliseconds_max);
  /// The guest starts its shell anew when that ends, and what was typed meanwhile is lost: asks
  /// until a shell answers.
  bool find_shell(int seconds_max);

  UniqueFd fd_;
  std::string said_;
  int count_ = 0, started_ = 0;
};

}  // namespace shamon::netns
