// TCG PC Client event logs: SHA-1 form and crypto-agile form
// (TCG PC Client Platform Firmware Profile 1.05 §10). Parse, replay, and write (the lab's boot
// stage and the host monitor append to one).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measurement/pcr.hpp"

namespace shamon {

/// Event types we name; others keep their number.
enum class EventType : std::uint32_t {
  post_code = 0x1,
  no_action = 0x3,
  separator = 0x4,
  action = 0x5,
  event_tag = 0x6,
  s_crtm_contents = 0x7,
  s_crtm_version = 0x8,
  ipl = 0xd,
};
std::string event_type_name(std::uint32_t type);  ///< "EV_IPL", "0x800000ff"

struct BootEvent {
  std::uint64_t offset = 0;  ///< in the log
  PcrIndex pcr{};            ///< 0–23; 255 stands for "none" of some EV_NO_ACTION events
  std::uint32_t type = 0;
  std::vector<Digest> digests;  ///< one per bank we know; banks of other algorithms are left out
  Bytes data;
};

struct EventLog {
  bool crypto_agile = false;
  std::vector<HashAlgorithm> banks;
  std::vector<BootEvent> events;  ///< in order, the Spec ID header included
};

/// What a log held up to its first offence, for tools that show people a broken log.
struct EventLogReading {
  EventLog log;
  std::optional<Error> offence;  ///< with the offset of the event it was found in
};
EventLogReading read_event_log(ByteView log);

/// Parses every byte. Errors: `malformed`/`truncated`/`too_large` with the offset of the event.
/// An empty input is an empty log.
Result<EventLog> parse_event_log(ByteView log);
/// PCR values after all events (EV_NO_ACTION is not extended; a StartupLocality event sets PCR 0's
/// start). Errors: `invalid` for a bank the log does not have; `malformed` with the offset of an
/// event without a digest for the bank, or of a StartupLocality that comes too late.
Result<PcrBank> replay(EventLog const& log, HashAlgorithm bank);

/// For a log that is being written. The header event lists the banks.
Bytes encode_event_log_header(std::vector<HashAlgorithm> const& banks);
Bytes encode_event(BootEvent const& event);

}  // namespace shamon
