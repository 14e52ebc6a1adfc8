#include "host/audit_rows.hpp"

#include "base/ipv4_text.hpp"
#include "host/gate_text.hpp"
#include "monitor/audit_text.hpp"
#include "policy/decision_text.hpp"
#include "policy/service.hpp"

namespace shamon {
namespace {

/// What the gate refuses before any decision has no Reason of policy; empty for the others.
std::string_view gate_reason(std::uint32_t reason) {
  if (reason == gate::kReasonSpoofedSource) return "spoofed source address";
  if (reason == gate::kReasonForeignSource) return "source is no VM of that peer and label";
  return {};
}

LabelId find_label(CompiledPolicy const& policy, std::string const& name) {
  return policy.find_label(LabelName(name)).value_or(LabelId(kLabelsMax));
}

AuditRow make_row(AuditRecord const& record, CompiledPolicy const& policy,
                  std::string_view reason) {
  AuditRow row;
  row.time = record.time;
  row.hook = to_string(record.hook);
  row.verdict = record.verdict == Verdict::allow ? "allowed" : "denied";
  row.reason = reason.empty() ? to_string(record.reason) : std::string(reason);
  row.subject = record.subject;
  row.object = record.object;
  if (about_labels(record.hook)) {
    row.subject_label = label_text(record.subject_label, record, policy);
    row.object_label = label_text(record.object_label, record, policy);
  }
  if (about_service(record.hook)) row.service = to_string(record.service);
  row.rule = rule_text(record, policy);
  row.text = describe(record, policy, reason);
  row.revision = record.revision;
  return row;
}

}  // namespace

AuditRow row_of(AuditRecord const& record, CompiledPolicy const& policy) {
  return make_row(record, policy, {});
}

AuditRow row_of(gate::Audit const& audit, CompiledPolicy const& policy, WallTime now) {
  AuditRecord record;
  record.time = now;
  record.hook = static_cast<Hook>(audit.hook);
  record.verdict = audit.verdict == 1 ? Verdict::allow : Verdict::deny;
  record.reason = static_cast<Reason>(audit.reason);
  record.subject = text_of(audit.subject);
  record.object = text_of(audit.object);
  record.subject_label = find_label(policy, text_of(audit.subject_label));
  record.object_label = find_label(policy, text_of(audit.object_label));
  record.service = {static_cast<std::uint8_t>(audit.protocol), audit.destination_port, 0};
  record.revision = Revision(audit.revision);
  record.statement = StatementId(audit.statement);
  AuditRow row = make_row(record, policy, gate_reason(audit.reason));
  row.count = audit.count;
  row.subject_label = text_of(audit.subject_label);
  row.object_label = text_of(audit.object_label);
  if (audit.source != 0 || audit.destination != 0) {
    row.source = to_string(Endpoint{Ipv4{audit.source}, audit.source_port});
    row.destination = to_string(Endpoint{Ipv4{audit.destination}, audit.destination_port});
  }
  return row;
}

}  // namespace shamon
