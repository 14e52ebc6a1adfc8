#include "base/time_text.hpp"

#include <cstdio>

#include <time.h>

namespace shamon {

std::string to_iso8601(WallTime time) {
  std::int64_t ms = time.unix_ms % 1000;
  time_t seconds = static_cast<time_t>(time.unix_ms / 1000);
  if (ms < 0) {
    ms += 1000;
    --seconds;
  }
  tm parts{};
  gmtime_r(&seconds, &parts);
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(ms));
  return buffer;
}

}  // namespace shamon
