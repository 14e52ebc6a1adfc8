// What a guest writes to its events: never more than the channel's events, and every one of them.
#include <algorithm>

#include "base/assert.hpp"
#include "tunnel/shared_memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  std::uint32_t const events = data[0] % (shamon::gate::kShareEventsMax + 1);
  shamon::ByteView const bytes(data + 1, size - 1);
  unsigned const mask = shamon::rung_events(bytes, events);
  SHAMON_ASSERT(mask >> events == 0);
  for (std::uint32_t event = 0; event < events; ++event) {
    bool const rung = std::find(bytes.begin(), bytes.end(), event) != bytes.end();
    SHAMON_ASSERT((mask >> event & 1) == (rung ? 1u : 0u));
  }
  return 0;
}
