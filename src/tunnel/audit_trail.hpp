// What the gate decided, on its way to the host monitor. Repeats are counted and told once a
// second, so that a flood of refused packets is not a flood of records.
#pragma once

#include <functional>

#include "monitor/audit_record.hpp"
#include "tunnel/gate_control.hpp"
#include "tunnel/packet.hpp"

namespace shamon {

/// Who and what a decision on the packet path is about, for its record.
struct FlowDetail {
  std::string_view subject;  ///< VM or host
  std::string_view object;
  std::string_view subject_label;
  std::string_view object_label;
  IpPacket const* packet = nullptr;
};

class AuditTrail {
 public:
  using Emit = std::function<void(gate::Audit const&)>;
  explicit AuditTrail(Emit emit) : emit_(std::move(emit)) {}

  /// The sink of the gate's monitor. `policy` gives the labels' names outside the packet path.
  void record(AuditRecord const& record, CompiledPolicy const& policy, Instant now);
  /// The detail of the records to come, until it is set again; null: none.
  void set_detail(FlowDetail const* detail) noexcept { detail_ = detail; }
  /// The last record, to be repeated with a count.
  gate::Audit const& last() const noexcept { return last_; }
  /// A refusal the gate makes itself, before any decision (gate::kReasonSpoofedSource …).
  void refuse(Hook hook, std::uint32_t reason, Revision revision, FlowDetail const& detail,
              Instant now);
  void repeat(gate::Audit audit, std::uint32_t count, Instant now);

 private:
  void fill_detail(FlowDetail const& detail) noexcept;
  Emit emit_;
  FlowDetail const* detail_ = nullptr;
  gate::Audit last_;
};

/// Copies at most kNameBytesMax - 1 bytes, zero-padded.
gate::Name to_name(std::string_view text) noexcept;
/// Up to the first zero.
std::string_view from_name(gate::Name const& name) noexcept;

/// Counts repeats of one refusal.
class FoldedAudit {
 public:
  void keep(gate::Audit const& audit) noexcept {
    audit_ = audit;
    repeats_ = 0;
  }
  void again() noexcept { ++repeats_; }
  /// Tells the repeats since the last telling, if there are any.
  void tell(AuditTrail& trail, Instant now) {
    if (repeats_ == 0) return;
    trail.repeat(audit_, repeats_, now);
    repeats_ = 0;
  }

 private:
  gate::Audit audit_;
  std::uint32_t repeats_ = 0;
};

}  // namespace shamon
