// A solver's values: any text is refused or read, and never more than it says.
#include <string_view>

#include "base/assert.hpp"
#include "policy/prove/counterexample.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const values = shamon::parse_row_values(text);
  SHAMON_ASSERT(!values || text.find("compiled.unlicensed") != std::string_view::npos);
  return 0;
}
