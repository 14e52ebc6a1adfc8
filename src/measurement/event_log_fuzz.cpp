// Whatever parses must replay or say why, and be written back as it was read.
#include <cstdlib>

#include "measurement/event_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  EventLogReading const reading = read_event_log({data, size});
  if (reading.offence) {
    if (!reading.offence->offset || *reading.offence->offset > size) std::abort();
    return 0;
  }
  for (HashAlgorithm bank : reading.log.banks) (void)replay(reading.log, bank);
  if (!reading.log.crypto_agile) return 0;
  Bytes again = encode_event_log_header(
      reading.log.banks.empty() ? std::vector{HashAlgorithm::sha256} : reading.log.banks);
  for (std::size_t i = 1; i < reading.log.events.size(); ++i) {
    append(again, encode_event(reading.log.events[i]));
  }
  Result<EventLog> const second = parse_event_log(again);
  if (!reading.log.banks.empty() && !second) std::abort();
  if (second && second->events.size() != reading.log.events.size()) std::abort();
  return 0;
}
