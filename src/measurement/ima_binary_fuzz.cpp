// Whatever parses must fold or say why, and a log cut between entries must fold to the same value.
#include <cstdlib>

#include "measurement/ima_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  ImaReading const reading = read_ima_binary({data, size});
  if (reading.offence && (!reading.offence->offset || *reading.offence->offset > size))
    std::abort();
  if (reading.log.end_offset > size) std::abort();
  Digest const zero = Digest::zero(HashAlgorithm::sha256);
  Result<Digest> const whole = fold_ima(reading.log.entries, HashAlgorithm::sha256, zero);
  if (!whole || reading.log.entries.size() < 2) return 0;
  std::uint64_t const cut = reading.log.entries[1].offset;
  Result<ImaLog> const first = parse_ima_binary({data, cut});
  Result<ImaLog> const rest = parse_ima_binary({data + cut, reading.log.end_offset - cut}, cut);
  // A suffix may look like a list of another bank only if the whole was ambiguous; then it differs.
  if (!first || !rest) return 0;
  if (first->entries.front().template_digest.algorithm() !=
      rest->entries.front().template_digest.algorithm()) {
    return 0;
  }
  Result<Digest> const half = fold_ima(first->entries, HashAlgorithm::sha256, zero);
  if (!half) std::abort();
  Result<Digest> const both = fold_ima(rest->entries, HashAlgorithm::sha256, *half);
  if (!both || *both != *whole) std::abort();
  return 0;
}
