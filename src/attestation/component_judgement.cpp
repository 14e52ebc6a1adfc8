#include "attestation/component_judgement.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "attestation/limits.hpp"

namespace shamon {
namespace {

using Standing = ReferenceValues::Standing;

constexpr std::string_view kPolicyComponent = "policy";

bool is_type(BootEvent const& event, EventType type) noexcept {
  return event.type == static_cast<std::uint32_t>(type);
}

Digest const* digest_in(BootEvent const& event, HashAlgorithm bank) noexcept {
  for (Digest const& digest : event.digests) {
    if (digest.algorithm() == bank) return &digest;
  }
  return nullptr;
}

/// TCG PFP §3.3.2.2: a separator of 0 or FFFFFFFF ends a phase, one of 1 reports an error.
bool is_clean_separator(BootEvent const& event, Digest const& digest) noexcept {
  if (!is_type(event, EventType::separator) || event.data.size() != 4) return false;
  constexpr std::uint8_t kZeros[4] = {0, 0, 0, 0};
  constexpr std::uint8_t kOnes[4] = {0xff, 0xff, 0xff, 0xff};
  return digest == hash(digest.algorithm(), kZeros) || digest == hash(digest.algorithm(), kOnes);
}

/// Whose an event is that names no component: the firmware's, or of what started the system.
std::string stage_of(PcrIndex pcr) {
  return pcr.value() < 8 ? "firmware" : "boot";
}

/// Distrust is never outvoted; otherwise one valid entry is enough.
Standing stronger(Standing a, Standing b) noexcept {
  for (Standing strongest : {Standing::untrusted, Standing::trusted, Standing::retired}) {
    if (a == strongest || b == strongest) return strongest;
  }
  return Standing::unknown;
}

AppraisalRule rule_of_component(Standing standing) noexcept {
  switch (standing) {
    case Standing::trusted: return AppraisalRule::accepted;
    case Standing::untrusted: return AppraisalRule::component_untrusted;
    case Standing::retired: return AppraisalRule::reference_retired;
    case Standing::unknown: return AppraisalRule::component_unknown;
  }
  return AppraisalRule::component_unknown;
}

bool concerns_evidence_itself(AppraisalRule rule) noexcept {
  switch (rule) {
    case AppraisalRule::quote_signature:
    case AppraisalRule::quote_nonce:
    case AppraisalRule::quote_shape:
    case AppraisalRule::quote_clock:
    case AppraisalRule::pcr_digest:
    case AppraisalRule::event_log_malformed:
    case AppraisalRule::event_log_replay:
    case AppraisalRule::ima_log_malformed:
    case AppraisalRule::ima_log_replay:
    case AppraisalRule::key_not_restricted: return true;
    case AppraisalRule::accepted:
    case AppraisalRule::ima_violation:
    case AppraisalRule::component_unknown:
    case AppraisalRule::component_untrusted:
    case AppraisalRule::component_missing:
    case AppraisalRule::reference_retired:
    case AppraisalRule::policy_mismatch: return false;
  }
  return true;
}

}  // namespace

void Findings::add(AppraisalFinding finding) {
  if (list_.size() < kFindingsMax) list_.push_back(std::move(finding));
}

TrustTier Findings::tier() const noexcept {
  bool only_retired = true;
  for (AppraisalFinding const& finding : list_) {
    if (concerns_evidence_itself(finding.rule)) return TrustTier::none;
    if (finding.rule != AppraisalRule::reference_retired) only_retired = false;
  }
  return only_retired ? TrustTier::warning : TrustTier::contraindicated;
}

std::vector<Digest> Judge::known_digests(std::string const& component) const {
  std::vector<Digest> known;
  for (ReferenceValue const& value : reference_.known(component)) {
    if (value.trusted) known.push_back(value.digest);
  }
  return known;
}

void Judge::object(Standing standing, std::string const& component,
                   std::string const& reference_name, Digest const& digest, std::uint64_t entry) {
  if (standing == Standing::trusted) return;
  std::vector<Digest> known = known_digests(reference_name);
  std::string text;
  switch (standing) {
    case Standing::trusted: return;
    case Standing::untrusted:
      text =
          fmt::format("{} has digest {}, which is listed as untrusted.", component, digest.hex());
      break;
    case Standing::retired:
      text = fmt::format("{} has digest {}, whose reference value was retired.", component,
                         digest.hex());
      break;
    case Standing::unknown:
      text =
          fmt::format("{} has digest {}, which is not known; {} trusted digest{} of it {} known.",
                      component, digest.hex(), known.size(), known.size() == 1 ? "" : "s",
                      known.size() == 1 ? "is" : "are");
      break;
  }
  findings_.add(
      {rule_of_component(standing), component, entry, digest, std::move(known), std::move(text)});
}

void Judge::judge_component(MeasuredComponent const& measured, std::uint64_t entry) {
  object(reference_.standing(measured.component, measured.digest, now_), measured.component,
         measured.component, measured.digest, entry);
}

// A value of "firmware" holds for every PCR of the firmware, one of "firmware/pcr4" for that one.
// Values of other components do not count: an event whose name was taken off must not profit from
// them.
void Judge::judge_unnamed(MeasuredComponent& measured, std::uint64_t entry) {
  std::string const stage = measured.component;
  measured.component = fmt::format("{}/pcr{}", stage, measured.pcr.value());
  Standing const standing =
      stronger(reference_.standing(stage, measured.digest, now_),
               reference_.standing(measured.component, measured.digest, now_));
  object(standing, measured.component, measured.component, measured.digest, entry);
}

std::vector<MeasuredComponent> Judge::judge_events(EventLog const& log,
                                                   PcrSelection const& selection) {
  std::vector<MeasuredComponent> components;
  std::vector<std::pair<MeasuredComponent, std::uint64_t>> policies;
  for (std::size_t i = 0; i < log.events.size(); ++i) {
    BootEvent const& event = log.events[i];
    if (is_type(event, EventType::no_action) || event.pcr.value() >= kPcrCount) continue;
    if ((selection.mask >> event.pcr.value() & 1) == 0) continue;
    Digest const* digest = digest_in(event, selection.bank);
    if (digest == nullptr || is_clean_separator(event, *digest)) continue;
    std::optional<std::string> const name =
        is_type(event, EventType::ipl) ? parse_component_event_data(event.data) : std::nullopt;
    MeasuredComponent measured{name.value_or(stage_of(event.pcr)), *digest, event.pcr};
    if (!name) {
      judge_unnamed(measured, i);
    } else if (*name == kPolicyComponent && policy_.expected_policy) {
      policies.emplace_back(measured, i);
    } else {
      judge_component(measured, i);
    }
    components.push_back(std::move(measured));
  }
  judge_policy(policies);
  judge_required(components);
  return components;
}

// A policy is replaced while a machine runs, so its earlier ones stay in the log: they must have
// been good when they were in force (a retired value is), and the last must be the one expected
// now.
void Judge::judge_policy(std::vector<std::pair<MeasuredComponent, std::uint64_t>> const& loaded) {
  if (!policy_.expected_policy) return;
  if (loaded.empty()) {
    findings_.add({AppraisalRule::policy_mismatch,
                   std::string(kPolicyComponent),
                   0,
                   Digest{},
                   {*policy_.expected_policy},
                   "No policy was measured, and one is expected."});
    return;
  }
  for (std::size_t i = 0; i + 1 < loaded.size(); ++i) {
    auto const& [measured, entry] = loaded[i];
    Standing const standing = reference_.standing(measured.component, measured.digest, now_);
    if (standing == Standing::retired || measured.digest == *policy_.expected_policy) continue;
    object(standing, measured.component, measured.component, measured.digest, entry);
  }
  auto const& [last, entry] = loaded.back();
  if (last.digest == *policy_.expected_policy) return;
  findings_.add({AppraisalRule::policy_mismatch,
                 last.component,
                 entry,
                 last.digest,
                 {*policy_.expected_policy},
                 fmt::format("The policy in force has digest {}, expected is {}.",
                             last.digest.hex(), policy_.expected_policy->hex())});
}

void Judge::judge_required(std::vector<MeasuredComponent> const& components) {
  for (std::string const& required : policy_.required_components) {
    bool const there = std::any_of(components.begin(), components.end(), [&](auto const& measured) {
      return measured.component == required;
    });
    if (there) continue;  // that it is trusted was judged already
    findings_.add({AppraisalRule::component_missing, required, 0, Digest{}, known_digests(required),
                   fmt::format("{} must be measured and is not in the log.", required)});
  }
}

void Judge::judge_ima(std::span<ImaEntry const> entries, std::uint64_t first_entry) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    ImaEntry const& entry = entries[i];
    std::uint64_t const index = first_entry + i;
    std::string const path(entry.path);
    if (entry.violation) {
      if (policy_.allow_violations) continue;
      findings_.add(
          {AppraisalRule::ima_violation,
           path,
           index,
           Digest{},
           {},
           fmt::format("{} was open for writing while it was measured, so what ran is not "
                       "known.",
                       path)});
      continue;
    }
    if (!policy_.check_ima_files) continue;
    // The kernel's own first entry is no file: it repeats PCRs that the quote holds anyway.
    if (index == 0 && path == "boot_aggregate") continue;
    object(reference_.standing(entry.file_digest, now_), path, "file:" + path, entry.file_digest,
           index);
  }
}

}  // namespace shamon
