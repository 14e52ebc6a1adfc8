#include "attestation/appraisal.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "attestation/component_judgement.hpp"
#include "attestation/limits.hpp"
#include "measurement/verify_logs.hpp"

namespace shamon {
namespace {

/// One appraisal under way: what was found so far, and what later steps need of earlier ones.
class Appraiser {
 public:
  Appraiser(Evidence const& evidence, Challenge const& challenge, AppraisalMemory const& memory)
      : evidence_(evidence), challenge_(challenge), memory_(memory) {}

  AppraisalResult run(TpmPublicArea const& ak, ReferenceValues const& reference,
                      AppraisalPolicy const& policy, WallTime now);

 private:
  void object(AppraisalRule rule, std::string text) {
    findings_.add({rule, {}, 0, Digest{}, {}, std::move(text)});
  }
  void object(AppraisalRule rule, std::string_view what, Error const& error) {
    object(rule, std::string(what) + ": " + error.describe());
  }
  bool check_bounds();
  bool check_quote(TpmPublicArea const& ak);
  bool check_selection();
  bool check_clock();
  bool check_ima_continuity();
  bool parse_logs();
  bool check_replay(AppraisalPolicy const& policy);
  AppraisalMemory next_memory() const;
  AppraisalResult finish(std::vector<MeasuredComponent> components) const;

  Evidence const& evidence_;
  Challenge const& challenge_;
  AppraisalMemory const& memory_;
  Findings findings_;
  std::optional<VerifiedQuote> quote_;
  bool same_boot_ = false;  ///< as the one `memory_` is about
  bool is_suffix_ = false;  ///< the IMA log continues where `memory_` ends
  EventLog event_log_;
  ImaLog ima_log_;
  ReplayedPcrs replayed_;
};

bool Appraiser::check_bounds() {
  if (evidence_.attest.size() > kAttestBytesMax ||
      evidence_.signature.size() > kSignatureBytesMax) {
    object(AppraisalRule::quote_shape, "The quote is larger than a quote can be.");
  } else if (evidence_.event_log.size() > kEvidenceEventLogBytesMax) {
    object(AppraisalRule::event_log_malformed, "The event log is over its size limit.");
  } else if (evidence_.ima_log.size() > kEvidenceImaLogBytesMax) {
    object(AppraisalRule::ima_log_malformed, "The IMA log is over its size limit.");
  } else {
    return true;
  }
  return false;
}

bool Appraiser::check_quote(TpmPublicArea const& ak) {
  if (!is_restricted_signing_key(ak)) {
    object(
        AppraisalRule::key_not_restricted,
        "The attestation key is not a restricted signing key of a TPM, so it could sign anything.");
    return false;
  }
  auto verified = verify_quote(ak.key, evidence_.attest, evidence_.signature, challenge_.nonce);
  if (verified) {
    quote_.emplace(std::move(*verified));
    return true;
  }
  // Which of the two failed decides how it reads: with its own nonce in place of ours, a quote of
  // this key verifies, one of another key does not.
  auto const statement = parse_quote(evidence_.attest);
  if (!statement) {
    object(AppraisalRule::quote_shape, "The quote is malformed", statement.error());
    return false;
  }
  auto const signature = parse_tpm_signature(evidence_.signature);
  if (!signature) {
    object(AppraisalRule::quote_shape, "The quote's signature is malformed", signature.error());
    return false;
  }
  auto const alone =
      verify_quote(ak.key, evidence_.attest, evidence_.signature, statement->extra_data);
  if (!alone) {
    object(AppraisalRule::quote_signature, "The quote is not signed by the attester's key",
           alone.error());
    return false;
  }
  object(AppraisalRule::quote_nonce,
         "The quote answers another challenge: its qualifying data is not the nonce asked for.");
  return false;
}

bool Appraiser::check_selection() {
  auto const& selections = quote_->statement().selections;
  if (selections.size() != 1 || selections[0].bank != challenge_.pcrs.bank) {
    object(AppraisalRule::quote_shape, fmt::format("The quote does not select exactly the {} bank.",
                                                   to_string(challenge_.pcrs.bank)));
    return false;
  }
  std::uint32_t const missing = challenge_.pcrs.mask & ~selections[0].mask;
  if (missing != 0 || challenge_.pcrs.mask == 0) {
    object(AppraisalRule::quote_shape,
           fmt::format("The quote leaves out PCRs that were asked for (mask {:#x}).", missing));
    return false;
  }
  return true;
}

bool Appraiser::check_clock() {
  if (!memory_.valid) return true;
  QuoteStatement const& quote = quote_->statement();
  // For keys outside the endorsement hierarchy a TPM adds a constant to both counters (Part 1
  // §36.7), so they may wrap: only differences mean something.
  auto const resets = static_cast<std::int32_t>(quote.reset_count - memory_.reset_count);
  if (resets < 0) {
    object(AppraisalRule::quote_clock, "The TPM's reset counter went backwards.");
    return false;
  }
  same_boot_ = resets == 0;
  if (!same_boot_) return true;  // a reboot is no alarm by itself
  auto const restarts = static_cast<std::int32_t>(quote.restart_count - memory_.restart_count);
  if (restarts < 0 || quote.clock_ms < memory_.clock_ms) {
    object(AppraisalRule::quote_clock,
           fmt::format("The TPM's clock went backwards without a reset: {} ms after {} ms.",
                       quote.clock_ms, memory_.clock_ms));
    return false;
  }
  return true;
}

bool Appraiser::check_ima_continuity() {
  if (evidence_.ima_offset == 0) return true;
  is_suffix_ = same_boot_ && evidence_.ima_offset == memory_.ima_offset &&
               memory_.ima_pcr.algorithm() == challenge_.pcrs.bank;
  if (is_suffix_) return true;
  object(AppraisalRule::ima_log_replay,
         fmt::format("The IMA log starts at byte {}, where no accepted log of this boot ended.",
                     evidence_.ima_offset));
  return false;
}

bool Appraiser::parse_logs() {
  auto event_log = parse_event_log(evidence_.event_log);
  if (!event_log) {
    object(AppraisalRule::event_log_malformed, "The event log is malformed", event_log.error());
    return false;
  }
  auto ima_log = parse_ima_binary(evidence_.ima_log, evidence_.ima_offset);
  if (!ima_log) {
    object(AppraisalRule::ima_log_malformed, "The IMA log is malformed", ima_log.error());
    return false;
  }
  event_log_ = std::move(*event_log);
  ima_log_ = std::move(*ima_log);
  return true;
}

AppraisalRule rule_of(LogMismatch const& mismatch, bool has_ima) noexcept {
  switch (mismatch.kind) {
    case LogMismatchKind::selection: return AppraisalRule::quote_shape;
    case LogMismatchKind::event_log: return AppraisalRule::event_log_replay;
    case LogMismatchKind::ima_log: return AppraisalRule::ima_log_replay;
    case LogMismatchKind::pcr_digest:
      return has_ima ? AppraisalRule::ima_log_replay : AppraisalRule::pcr_digest;
  }
  return AppraisalRule::pcr_digest;
}

bool Appraiser::check_replay(AppraisalPolicy const& policy) {
  bool const has_ima = is_suffix_ || !ima_log_.entries.empty();
  if (policy.require_ima && !has_ima) {
    object(AppraisalRule::ima_log_replay, "An IMA log is required and none was sent.");
    return false;
  }
  if (policy.require_ima && (challenge_.pcrs.mask >> kImaPcr.value() & 1) == 0) {
    object(AppraisalRule::quote_shape, "An IMA log is required, but PCR 10 was not asked for.");
    return false;
  }
  std::optional<ImaStart> start;
  if (is_suffix_) start = ImaStart{memory_.ima_pcr};
  EventLog const* event_log = event_log_.events.empty() ? nullptr : &event_log_;
  auto matched = match_logs_to_quote(*quote_, event_log, has_ima ? &ima_log_ : nullptr, start);
  if (!matched) {
    // With both logs the one digest cannot tell which of them is altered. An event log alone that
    // does not account for the PCRs is the digest's failure.
    object(rule_of(matched.error(), has_ima && event_log == nullptr),
           "The logs do not account for what the TPM signed", matched.error().error);
    return false;
  }
  replayed_ = std::move(*matched);
  return true;
}

AppraisalMemory Appraiser::next_memory() const {
  QuoteStatement const& quote = quote_->statement();
  AppraisalMemory memory;
  memory.valid = true;
  memory.reset_count = quote.reset_count;
  memory.restart_count = quote.restart_count;
  memory.clock_ms = quote.clock_ms;
  memory.ima_entries = (is_suffix_ ? memory_.ima_entries : 0) + replayed_.ima_entries;
  memory.ima_offset = std::max(replayed_.ima_offset, evidence_.ima_offset);
  memory.ima_pcr = replayed_.ima_pcr.value_or(Digest::zero(challenge_.pcrs.bank));
  return memory;
}

AppraisalResult Appraiser::finish(std::vector<MeasuredComponent> components) const {
  AppraisalResult result;
  result.findings = findings_.list();
  result.components = std::move(components);
  result.accepted = result.findings.empty();
  result.tier = result.accepted ? TrustTier::affirming : findings_.tier();
  if (quote_) result.ima_entries = next_memory().ima_entries;
  if (result.accepted) result.memory = next_memory();
  return result;
}

AppraisalResult Appraiser::run(TpmPublicArea const& ak, ReferenceValues const& reference,
                               AppraisalPolicy const& policy, WallTime now) {
  bool const authentic = check_bounds() && check_quote(ak) && check_selection() && check_clock() &&
                         check_ima_continuity() && parse_logs() && check_replay(policy);
  if (!authentic) return finish({});
  Judge judge(reference, policy, now, findings_);
  std::vector<MeasuredComponent> components =
      judge.judge_events(event_log_, quote_->statement().selections[0]);
  std::span<ImaEntry const> const covered(ima_log_.entries.data(), replayed_.ima_entries);
  judge.judge_ima(covered, is_suffix_ ? memory_.ima_entries : 0);
  return finish(std::move(components));
}

}  // namespace

AppraisalResult appraise(Evidence const& evidence, Challenge const& challenge,
                         TpmPublicArea const& ak, ReferenceValues const& reference,
                         AppraisalPolicy const& policy, AppraisalMemory const& memory,
                         WallTime now) {
  return Appraiser(evidence, challenge, memory).run(ak, reference, policy, now);
}

char const* to_string(AppraisalRule rule) noexcept {
  switch (rule) {
    case AppraisalRule::accepted: return "accepted";
    case AppraisalRule::quote_signature: return "quote_signature";
    case AppraisalRule::quote_nonce: return "quote_nonce";
    case AppraisalRule::quote_shape: return "quote_shape";
    case AppraisalRule::quote_clock: return "quote_clock";
    case AppraisalRule::pcr_digest: return "pcr_digest";
    case AppraisalRule::event_log_malformed: return "event_log_malformed";
    case AppraisalRule::event_log_replay: return "event_log_replay";
    case AppraisalRule::ima_log_malformed: return "ima_log_malformed";
    case AppraisalRule::ima_log_replay: return "ima_log_replay";
    case AppraisalRule::ima_violation: return "ima_violation";
    case AppraisalRule::component_unknown: return "component_unknown";
    case AppraisalRule::component_untrusted: return "component_untrusted";
    case AppraisalRule::component_missing: return "component_missing";
    case AppraisalRule::reference_retired: return "reference_retired";
    case AppraisalRule::policy_mismatch: return "policy_mismatch";
    case AppraisalRule::key_not_restricted: return "key_not_restricted";
  }
  return "?";
}

}  // namespace shamon
