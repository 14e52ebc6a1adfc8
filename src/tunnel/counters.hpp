// What passed and what did not, and why: one set per port, per association and for the whole gate.
#pragma once

#include <algorithm>
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
  Counters& operator+=(Counters const& more) noexcept {
    packets_in += more.packets_in;
    bytes_in += more.bytes_in;
    packets_out += more.packets_out;
    bytes_out += more.bytes_out;
    dropped_policy += more.dropped_policy;
    dropped_spoof += more.dropped_spoof;
    dropped_no_route += more.dropped_no_route;
    dropped_no_association += more.dropped_no_association;
    dropped_replay += more.dropped_replay;
    dropped_icv += more.dropped_icv;
    dropped_lease += more.dropped_lease;
    dropped_malformed += more.dropped_malformed;
    dropped_full += more.dropped_full;
    last_passed = std::max(last_passed, more.last_passed);
    return *this;
  }
};

}  // namespace shamon
