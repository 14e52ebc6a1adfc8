// Values that parse are of their bank's size; an error names an offset in the text.
#include <cstdlib>

#include "measurement/pcr_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  Result<std::vector<PcrBank>> const banks = parse_pcr_text(as_text({data, size}));
  if (!banks) {
    if (!banks.error().offset || *banks.error().offset > size) std::abort();
    return 0;
  }
  if (banks->size() > 4) std::abort();
  return 0;
}
