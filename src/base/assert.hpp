// Assertions state what a programmer promised. They stay on in every build.
#pragma once

namespace shamon {

[[noreturn]] void assertion_failed(char const* condition, char const* file, int line) noexcept;

}  // namespace shamon

#define SHAMON_ASSERT(condition) \
  ((condition) ? (void)0 : ::shamon::assertion_failed(#condition, __FILE__, __LINE__))
