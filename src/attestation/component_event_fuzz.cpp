#include "attestation/appraisal.hpp"
#include "base/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  shamon::ByteView const bytes(data, size);
  if (auto const name = shamon::parse_component_event_data(bytes)) {
    SHAMON_ASSERT(shamon::encode_component_event_data(*name) == shamon::to_bytes(bytes));
  }
  return 0;
}
