// Sums of counters, for the gate's reports.
#pragma once

#include <algorithm>

#include "tunnel/counters.hpp"

namespace shamon {

inline Counters& operator+=(Counters& sum, Counters const& more) noexcept {
  sum.packets_in += more.packets_in;
  sum.bytes_in += more.bytes_in;
  sum.packets_out += more.packets_out;
  sum.bytes_out += more.bytes_out;
  sum.dropped_policy += more.dropped_policy;
  sum.dropped_spoof += more.dropped_spoof;
  sum.dropped_no_route += more.dropped_no_route;
  sum.dropped_no_association += more.dropped_no_association;
  sum.dropped_replay += more.dropped_replay;
  sum.dropped_icv += more.dropped_icv;
  sum.dropped_lease += more.dropped_lease;
  sum.dropped_malformed += more.dropped_malformed;
  sum.dropped_full += more.dropped_full;
  sum.last_passed = std::max(sum.last_passed, more.last_passed);
  return sum;
}

}  // namespace shamon
