// A public area that parses has a name and a key that can be written down.
#include <cstdlib>

#include "measurement/quote.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  Result<TpmPublicArea> const area = parse_tpm_public({data, size});
  if (!area) {
    if (area.error().offset && *area.error().offset > size) std::abort();
    return 0;
  }
  if (area->name.size() != 2 + digest_size(area->name_algorithm)) std::abort();
  if (area->key.spki_der().empty()) std::abort();
  (void)is_restricted_signing_key(*area);
  return 0;
}
