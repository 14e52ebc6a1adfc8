// A datagram from the underlay, and a payload as a member that cheats may have sealed it.
#include "base/assert.hpp"
#include "tunnel/esp.hpp"

using namespace shamon;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::vector<std::uint8_t> input(data, data + size);
  auto const esp = parse_esp(input);
  if (!esp) return 0;
  SHAMON_ASSERT(esp->job.data.size() % 4 == 0);
  SHAMON_ASSERT(esp->job.tag.data() + esp->job.tag.size() == input.data() + input.size());
  auto const inner = strip_esp_trailer(esp->job.data);
  if (!inner) return 0;
  SHAMON_ASSERT(inner->size() + kEspTrailerBytes <= esp->job.data.size());
  (void)parse_ip_packet(*inner);
  return 0;
}
