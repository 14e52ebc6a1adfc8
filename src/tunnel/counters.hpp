// What passed and what did not, and why: one set per port, per association and for the whole gate.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace shamon {

/// "in" is into the gate from that port or association, "out" is to it.
struct Counters {
  std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
  std::uint64_t dropped_policy = 0, dropped_spoof = 0, dropped_no_route = 0,
                dropped_no_association = 0, dropped_replay = 0, dropped_icv = 0, dropped_lease = 0,
                dropped_malformed = 0, dropped_full = 0;
  Instant last_passed;  ///< 0: none

  void passed_in(std::uint64_t packets, std::uint64_t bytes, Instant now) noexcept {
    packets_in += packets;
    bytes_in += bytes;
    last_passed = now;
  }
  void passed_out(std::uint64_t packets, std::uint64_t bytes, Instant now) noexcept {
    packets_out += packets;
    bytes_out += bytes;
    last_passed = now;
  }
};

}  // namespace shamon
