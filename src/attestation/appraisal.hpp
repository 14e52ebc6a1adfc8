// Appraisal of evidence: deterministic; time, keys and reference values come in as arguments.
#pragma once

#include <string>
#include <vector>

#include "attestation/evidence.hpp"
#include "measurement/event_log.hpp"
#include "measurement/ima_log.hpp"
#include "measurement/reference_values.hpp"

namespace shamon {

/// What is wrong, precise enough to explain. Closed.
enum class AppraisalRule : std::uint8_t {
  accepted = 0,
  quote_signature,
  quote_nonce,
  quote_shape,
  quote_clock,
  pcr_digest,
  event_log_malformed,
  event_log_replay,
  ima_log_malformed,
  ima_log_replay,
  ima_violation,
  component_unknown,
  component_untrusted,
  component_missing,
  reference_retired,
  policy_mismatch,
  key_not_restricted,
};
char const* to_string(AppraisalRule rule) noexcept;

struct AppraisalFinding {
  AppraisalRule rule = AppraisalRule::accepted;
  std::string component;    ///< "shamon-gate", "/usr/bin/untrusted"
  std::uint64_t entry = 0;  ///< index in its log
  Digest found;
  std::vector<Digest> known;  ///< trusted digests of that component
  std::string text;           ///< one sentence for people
};

/// AR4SI trustworthiness (draft-ietf-rats-ar4si §2.3): affirming 2, warning 32, contraindicated 96,
/// none 0.
enum class TrustTier : std::uint8_t { none = 0, affirming = 2, warning = 32, contraindicated = 96 };

struct MeasuredComponent {
  std::string component;
  Digest digest;
  PcrIndex pcr{};
};

struct AppraisalResult {
  bool accepted = false;
  TrustTier tier = TrustTier::none;
  std::vector<AppraisalFinding> findings;     ///< empty iff accepted
  std::vector<MeasuredComponent> components;  ///< from the event log's component events
  std::uint64_t ima_entries = 0;
  AppraisalMemory memory;  ///< keep for the next challenge, only if accepted
};

/// What this verifier demands.
struct AppraisalPolicy {
  std::vector<std::string> required_components;  ///< must each appear and be trusted
  bool require_ima = false;                      ///< a non-empty IMA log that replays to PCR 10
  bool check_ima_files = false;                  ///< every IMA entry's digest must be trusted
  std::optional<Digest> expected_policy;         ///< the last "policy" component must be this
  bool allow_violations = false;
};

AppraisalResult appraise(Evidence const& evidence, Challenge const& challenge,
                         TpmPublicArea const& ak, ReferenceValues const& reference,
                         AppraisalPolicy const& policy, AppraisalMemory const& memory,
                         WallTime now);

// A component event is an EV_IPL event whose data is the text "shamon:component=NAME\0" and whose
// digests are those of the component's content; see attestation/component_event.hpp.
Bytes encode_component_event_data(std::string const& component);
std::optional<std::string> parse_component_event_data(ByteView data);

}  // namespace shamon
