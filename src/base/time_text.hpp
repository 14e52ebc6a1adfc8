// Civil time as people and protocols write it.
#pragma once

#include <string>

#include "base/time.hpp"

namespace shamon {

/// "2026-11-21T21:30:05.123Z"
std::string to_iso8601(WallTime time);

}  // namespace shamon
