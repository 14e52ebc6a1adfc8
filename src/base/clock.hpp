// The machine's clocks. Only drivers and main() read them; everyone else is told the time.
#pragma once

#include "base/time.hpp"

namespace shamon {

Instant read_monotonic_clock() noexcept;
WallTime read_wall_clock() noexcept;

}  // namespace shamon
