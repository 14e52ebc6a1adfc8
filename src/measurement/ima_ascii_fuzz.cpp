// Whatever parses must fold or say why.
#include <cstdlib>

#include "measurement/ima_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  ImaReading const reading = read_ima_ascii(as_text({data, size}));
  if (reading.offence && (!reading.offence->offset || *reading.offence->offset > size))
    std::abort();
  for (HashAlgorithm bank : {HashAlgorithm::sha1, HashAlgorithm::sha256}) {
    (void)fold_ima(reading.log.entries, bank, Digest::zero(bank));
  }
  std::size_t path_bytes = 0;  // touches every view
  for (ImaEntry const& entry : reading.log.entries) {
    path_bytes += entry.path.size();
    for (std::uint8_t byte : entry.signature) path_bytes += byte & 1;
  }
  if (path_bytes > 2 * size) std::abort();
  return 0;
}
