// What an end-to-end test cannot run without.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "base/process.hpp"

namespace shamon::netns {

/// The Debian package of the first program that is not installed; empty if all are.
inline std::string missing_package(
    std::initializer_list<std::pair<char const*, char const*>> programs) {
  for (auto const& [program, package] : programs) {
    auto const found = run_process({"which", program});
    if (!found || found->status != 0) return package;
  }
  return {};
}

}  // namespace shamon::netns
