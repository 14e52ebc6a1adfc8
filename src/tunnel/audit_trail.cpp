#include "tunnel/audit_trail.hpp"

#include <cstring>

namespace shamon {

gate::Name to_name(std::string_view text) noexcept {
  gate::Name name{};
  std::memcpy(name.data(), text.data(), std::min(text.size(), name.size() - 1));
  return name;
}

std::string_view from_name(gate::Name const& name) noexcept {
  return {name.data(), ::strnlen(name.data(), name.size())};
}

void AuditTrail::fill_detail(FlowDetail const& detail) noexcept {
  last_.subject = to_name(detail.subject);
  last_.object = to_name(detail.object);
  last_.subject_label = to_name(detail.subject_label);
  last_.object_label = to_name(detail.object_label);
  if (detail.packet == nullptr) return;
  last_.source = detail.packet->source.bits;
  last_.destination = detail.packet->destination.bits;
  last_.source_port = detail.packet->source_port;
  last_.destination_port = detail.packet->destination_port;
  last_.protocol = detail.packet->protocol;
}

void AuditTrail::record(AuditRecord const& record, CompiledPolicy const& policy, Instant now) {
  last_ = {};
  last_.at_ns = now.ns;
  last_.hook = static_cast<std::uint32_t>(record.hook);
  last_.verdict = static_cast<std::uint32_t>(record.verdict);
  last_.reason = static_cast<std::uint32_t>(record.reason);
  last_.statement = record.statement.value();
  last_.revision = record.revision.value();
  if (detail_ != nullptr) {
    fill_detail(*detail_);
  } else {
    last_.subject = to_name(record.subject);
    last_.object = to_name(record.object);
    last_.subject_label = to_name(policy.label_name(record.subject_label).value());
    last_.object_label = to_name(policy.label_name(record.object_label).value());
  }
  emit_(last_);
}

void AuditTrail::refuse(Hook hook, std::uint32_t reason, Revision revision,
                        FlowDetail const& detail, Instant now) {
  last_ = {};
  last_.at_ns = now.ns;
  last_.hook = static_cast<std::uint32_t>(hook);
  last_.verdict = static_cast<std::uint32_t>(Verdict::deny);
  last_.reason = reason;
  last_.revision = revision.value();
  fill_detail(detail);
  emit_(last_);
}

void AuditTrail::repeat(gate::Audit audit, std::uint32_t count, Instant now) {
  audit.at_ns = now.ns;
  audit.count = count;
  emit_(audit);
}

}  // namespace shamon
