// The limit of any switch in user space: two TAPs, each in a namespace, and this process that moves
// every frame from one to the other as it is, with the kernel's offloads but without one look at
// it. Prints "ready", ends with its standard input.  usage: tap_wire NAMESPACE_A NAMESPACE_B
#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "tap_in.hpp"

namespace {

using shamon::UniqueFd;
using shamon::bench::tap_in;

constexpr int kFramesPerTurn = 64;  ///< as the gate has it

void move_frames(int from, int to, std::vector<char>& memory) {
  for (int i = 0; i < kFramesPerTurn; ++i) {
    ssize_t const got = ::read(from, memory.data(), memory.size());
    if (got <= 0) return;
    // A full TAP drops, as a wire does.
    if (::write(to, memory.data(), static_cast<std::size_t>(got)) < 0 && errno != EAGAIN) return;
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fputs("usage: tap_wire NAMESPACE_A NAMESPACE_B\n", stderr);
    return 2;
  }
  UniqueFd const a = tap_in(words[1]);
  UniqueFd const b = tap_in(words[2]);
  if (!a || !b) {
    std::perror("tap_wire: a TAP in each namespace");
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  std::vector<char> memory(1 << 17);
  std::array<pollfd, 3> wait{pollfd{a.get(), POLLIN, 0}, pollfd{b.get(), POLLIN, 0},
                             pollfd{0, POLLIN, 0}};
  while (::poll(wait.data(), wait.size(), -1) >= 0 || errno == EINTR) {
    if (wait[2].revents != 0) return 0;
    if (wait[0].revents != 0) move_frames(a.get(), b.get(), memory);
    if (wait[1].revents != 0) move_frames(b.get(), a.get(), memory);
  }
  return 1;
}
