#include "base/ipv4.hpp"

#include <cstdio>

namespace shamon {

std::string to_string(Ipv4 a) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%u.%u.%u.%u", a.bits >> 24, a.bits >> 16 & 255,
                a.bits >> 8 & 255, a.bits & 255);
  return buffer;
}

}  // namespace shamon
