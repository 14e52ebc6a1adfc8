// Measure: note it in the event log, extend the TPM. And the reverse: evidence in which both agree.
#pragma once

#include <string>
#include <variant>

#include "attestation/evidence.hpp"
#include "attestation/tpm.hpp"
#include "measurement/event_log.hpp"

namespace shamon {

/// What is measured: bytes at hand, or the content of a file.
struct FileContent {
  std::string path;
};
using MeasuredContent = std::variant<ByteView, FileContent>;

/// Measures content as a component (attestation/appraisal.hpp): an EV_IPL event with the content's
/// digest in every active bank.
///
/// The log is a crypto-agile TCG event log, begun with its header if the file is empty or absent.
/// The event is appended and synced first, then the PCR is extended: after a crash in between the
/// log has one event too many, which is seen (the replay disagrees) and never passes for less than
/// what ran. Writers and collect_evidence lock the file, so neither sees the moment in between.
/// Errors: `system`, `conflict` if the log's banks are not the TPM's, whatever the TPM says.
Status measure_component(Tpm& tpm, std::string const& log_path, PcrIndex pcr,
                         std::string const& component, MeasuredContent const& content);

/// Measures an event of another type, as firmware does: the digest is that of `data`, which is the
/// event's data as well (EV_S_CRTM_VERSION, EV_SEPARATOR, EV_ACTION …).
Status measure_event(Tpm& tpm, std::string const& log_path, PcrIndex pcr, EventType type,
                     ByteView data);

/// EV_SEPARATOR into PCR 0–7: the firmware has handed over (TCG PFP §3.3.2.2).
Status measure_separators(Tpm& tpm, std::string const& log_path);

/// Where an attester's logs are; empty for "has none".
struct LogPaths {
  std::string event_log;
  std::string ima_log;
};

/// Answers a challenge: the quote first and then the logs, so that the IMA log is never shorter
/// than the quote. Only the part of it behind `challenge.ima_offset` is sent, if this is still the
/// boot that offset belongs to.
Result<Evidence> collect_evidence(Tpm& tpm, AttestationKey const& ak, Challenge const& challenge,
                                  LogPaths const& logs);

}  // namespace shamon
