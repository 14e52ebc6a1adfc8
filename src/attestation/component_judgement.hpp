// The second half of an appraisal: the logs are authentic, is what they show trusted? Unknown is
// not.
#pragma once

#include <span>

#include "attestation/appraisal.hpp"

namespace shamon {

/// What is objected to, at most kFindingsMax of it.
class Findings {
 public:
  void add(AppraisalFinding finding);
  std::vector<AppraisalFinding> const& list() const noexcept { return list_; }
  /// `none` when the evidence itself does not hold, `warning` when the only objection is a value
  /// that was retired, else `contraindicated`.
  TrustTier tier() const noexcept;

 private:
  std::vector<AppraisalFinding> list_;
};

class Judge {
 public:
  Judge(ReferenceValues const& reference, AppraisalPolicy const& policy, WallTime now,
        Findings& findings)
      : reference_(reference), policy_(policy), now_(now), findings_(findings) {}

  /// Every event that extends a PCR of the selection: component events by name and digest, others
  /// by a value of "firmware" or "firmware/pcrN" (PCR 0–7), "boot" or "boot/pcrN" (from 8 on),
  /// separators by their two legal values. Then what must be there. Events of PCRs outside the
  /// selection prove nothing and are passed over.
  /// Returns what was measured, under the names above.
  std::vector<MeasuredComponent> judge_events(EventLog const& log, PcrSelection const& selection);

  /// Entries that the quote covers. `first_entry` is the index of the first one in the whole log.
  void judge_ima(std::span<ImaEntry const> entries, std::uint64_t first_entry);

 private:
  void judge_component(MeasuredComponent const& measured, std::uint64_t entry);
  void judge_unnamed(MeasuredComponent& measured, std::uint64_t entry);
  void judge_policy(std::vector<std::pair<MeasuredComponent, std::uint64_t>> const& loaded);
  void judge_required(std::vector<MeasuredComponent> const& components);
  void object(ReferenceValues::Standing standing, std::string const& component,
              std::string const& reference_name, Digest const& digest, std::uint64_t entry);
  std::vector<Digest> known_digests(std::string const& component) const;

  ReferenceValues const& reference_;
  AppraisalPolicy const& policy_;
  WallTime now_;
  Findings& findings_;
};

}  // namespace shamon
