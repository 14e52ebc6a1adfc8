// Time comes in as a value. Only drivers read clocks (base/clock.hpp).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace shamon {

using Duration = std::chrono::nanoseconds;

/// A point on one machine's monotonic clock (CLOCK_MONOTONIC), in nanoseconds.
struct Instant {
  std::int64_t ns = 0;
  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.count()}; }
  friend constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.count()}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }
};

/// A point in civil time: milliseconds since 1970-01-01T00:00:00Z.
struct WallTime {
  std::int64_t unix_ms = 0;
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
  friend constexpr WallTime operator+(WallTime t, Duration d) {
    return {t.unix_ms + std::chrono::duration_cast<std::chrono::milliseconds>(d).count()};
  }
  friend constexpr Duration operator-(WallTime a, WallTime b) {
    return std::chrono::milliseconds(a.unix_ms - b.unix_ms);
  }
};

}  // namespace shamon
