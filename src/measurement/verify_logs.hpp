// The step between a quote and its logs: do the logs account for the PCR values the TPM signed?
// Shared by the appraisal (attestation/) and by `shamon attest verify`.
#pragma once

#include <optional>
#include <vector>

#include "measurement/event_log.hpp"
#include "measurement/ima_log.hpp"
#include "measurement/quote.hpp"

namespace shamon {

/// Where an earlier challenge left off: PCR 10 of `pcr`'s algorithm after the entries before the
/// given IMA log (which then is a suffix).
struct ImaStart {
  Digest pcr;
};

struct ReplayedPcrs {
  std::vector<PcrBank> banks;      ///< one per bank the quote selects, in selection order
  std::size_t ima_entries = 0;     ///< how many of the given entries the quote covers
  std::uint64_t ima_offset = 0;    ///< just behind the last covered entry
  std::optional<Digest> ima_pcr;   ///< PCR 10 (first bank) there; absent if the quote leaves it out
  std::uint32_t covered_mask = 0;  ///< PCRs the quote selects (in its first bank)
};

/// Why logs and quote disagree. Closed.
enum class LogMismatchKind : std::uint8_t {
  selection,   ///< the quote leaves out a PCR that a given log extends, or selects none
  event_log,   ///< the event log cannot be replayed into the quoted bank
  ima_log,     ///< an IMA entry contradicts itself
  pcr_digest,  ///< all replay, but to other values than the TPM signed
};
struct LogMismatch {
  LogMismatchKind kind = LogMismatchKind::pcr_digest;
  Error error;  ///< with the offset in the log, where there is one
};

/// Replays the logs and compares with the quote's PCR digest. PCRs that no log touches have their
/// start value. The IMA log may be longer than the quote covers by kImaEntriesAfterQuoteMax
/// entries: the longest prefix that agrees is taken. A null log is no claim: its PCRs stay at their
/// start values. Without `start`, PCR 10 starts as the event log left it.
tl::expected<ReplayedPcrs, LogMismatch> match_logs_to_quote(VerifiedQuote const& quote,
                                                            EventLog const* event_log,
                                                            ImaLog const* ima_log,
                                                            std::optional<ImaStart> start = {});

/// Compares given PCR values (of a file, say) with the quote's digest. Only values that were `set`
/// count. Errors: `untrusted`; `invalid` if a quoted PCR or bank is not among them.
Status match_pcrs_to_quote(VerifiedQuote const& quote, std::vector<PcrBank> const& banks);

}  // namespace shamon
