#include <algorithm>
#include <array>
#include <cstdlib>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "netns/guest_console.hpp"

namespace shamon::netns {

namespace {

constexpr int kAskAgainMs = 2000;

}  // namespace

GuestConsole::GuestConsole(std::string const& path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd_.reset();
}

bool GuestConsole::type(std::string const& line) {
  return ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(line.size());
}

bool GuestConsole::hear(std::string const& mark, int milliseconds_max) {
  Instant const end = read_monotonic_clock() + std::chrono::milliseconds(milliseconds_max);
  while (said_.find(mark) == std::string::npos) {
    if (read_monotonic_clock() >= end) return false;
    pollfd entry{fd_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 100) != 1) continue;
    std::array<char, 4096> buffer;
    ssize_t const got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got <= 0) return false;
    // The terminal ends its lines with \r\n.
    std::remove_copy(buffer.data(), buffer.data() + got, std::back_inserter(said_), '\r');
  }
  return true;
}

bool GuestConsole::find_shell(int seconds_max) {
  // Marks are spelled in two halves, so that an echo of what was typed is none.
  std::string const number = std::to_string(++count_);
  int const tries = std::max(1, seconds_max * 1000 / kAskAgainMs);
  for (int i = 0; i < tries; ++i) {
    if (!type("\necho he''re-" + number + "\n")) return false;
    if (hear("here-" + number + "\n", kAskAgainMs)) return true;
  }
  return false;
}

Ran GuestConsole::run(std::string const& command, int seconds_max) {
  said_.clear();
  if (!find_shell(seconds_max)) return {-1, "no shell: " + said_};
  std::string const number = std::to_string(count_);
  std::string const begin = "begin-" + number + "\n", end = " end-" + number + "\n";
  std::string const typed = "echo be''gin-" + number + "; " + command +
                            "; echo \" sta\"\"tus $? e\"\"nd-" + number + "\"\n";
  bool const ended = type(typed) && hear(end, seconds_max * 1000);
  auto const from = said_.find(begin), to = said_.rfind(" status ");
  if (!ended || from == std::string::npos || to == std::string::npos) {
    return {-1, "nothing came back: " + said_};
  }
  std::size_t const first = from + begin.size();
  return {std::atoi(&said_[to + 8]), said_.substr(first, to - first)};
}

bool GuestConsole::start(std::string const& command) {
  // It wants a file with the number of a process that does not run yet.
  std::string const number = std::to_string(++started_);
  return run("start-stop-daemon -S -b -p /tmp/started-" + number + " -a /bin/sh -- -c '" + command +
             "'")
      .ok();
}

}  // namespace shamon::netns
