// The limit of any switch in user space: two TAPs, each in a namespace, and this process that moves
// every frame from one to the other as it is, with the kernel's offloads but without one look at
// it. Prints "ready", ends with its standard input.  usage: tap_wire NAMESPACE_A NAMESPACE_B
#include <cstdio>

#include "wire.hpp"

using shamon::UniqueFd;
using shamon::bench::tap_in;

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
  return shamon::bench::carry(a, b);
}
