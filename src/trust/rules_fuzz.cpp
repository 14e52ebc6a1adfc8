#include <cstdint>

#include "base/bytes.hpp"
#include "trust/rules.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  (void)shamon::parse_rules(shamon::as_text({data, size}));
  return 0;
}
