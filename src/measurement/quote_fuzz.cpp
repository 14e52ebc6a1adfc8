// A quote that parses holds its bounds; nothing here may be verified, for nothing is signed.
#include <cstdlib>

#include "measurement/limits.hpp"
#include "measurement/quote.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  Result<QuoteStatement> const quote = parse_quote({data, size});
  if (!quote) {
    if (!quote.error().offset || *quote.error().offset > size) std::abort();
    return 0;
  }
  if (quote->extra_data.size() > kQualifyingBytesMax) std::abort();
  if (quote->selections.size() > kPcrSelectionsMax) std::abort();
  for (PcrSelection const& selection : quote->selections) {
    if (selection.mask >> kPcrCount != 0) std::abort();
  }
  return 0;
}
