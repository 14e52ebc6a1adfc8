#include "monitor/audit_text.hpp"

#include "base/encoding.hpp"
#include "policy/decision_text.hpp"
#include "policy/service.hpp"

namespace shamon {
namespace {

/// For people: nothing that could end the line or move the cursor.
std::string printable(std::string_view text) {
  std::string out;
  for (char c : text) out += c < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

}  // namespace

bool about_labels(Hook hook) noexcept {
  return hook != Hook::policy_load;
}
bool about_two_labels(Hook hook) noexcept {
  switch (hook) {
    case Hook::memory_share:
    case Hook::event_bind:
    case Hook::device_assign:
    case Hook::flow_out:
    case Hook::flow_in: return true;
    case Hook::vm_define:
    case Hook::vm_start:
    case Hook::vm_stop:
    case Hook::port_attach:
    case Hook::association_open:
    case Hook::association_close:
    case Hook::policy_load:
    case Hook::vm_migrate: return false;
  }
  return false;
}
bool about_service(Hook hook) noexcept {
  return hook == Hook::flow_out || hook == Hook::flow_in;
}

std::string rule_text(AuditRecord const& record, CompiledPolicy const& policy) {
  StatementOrigin const origin = policy.origin(record.statement);
  if (record.revision != policy.revision() || origin.line == 0) return "";
  return printable(origin.file) + ":" + std::to_string(origin.line);
}

std::string label_text(LabelId id, AuditRecord const& record, CompiledPolicy const& policy) {
  if (record.revision != policy.revision()) return "?";
  return policy.label_name(id).value();
}

char const* to_string(Hook hook) noexcept {
  switch (hook) {
    case Hook::vm_define: return "vm_define";
    case Hook::vm_start: return "vm_start";
    case Hook::vm_stop: return "vm_stop";
    case Hook::port_attach: return "port_attach";
    case Hook::memory_share: return "memory_share";
    case Hook::event_bind: return "event_bind";
    case Hook::device_assign: return "device_assign";
    case Hook::association_open: return "association_open";
    case Hook::association_close: return "association_close";
    case Hook::flow_out: return "flow_out";
    case Hook::flow_in: return "flow_in";
    case Hook::policy_load: return "policy_load";
    case Hook::vm_migrate: return "vm_migrate";
  }
  return "unknown";
}

std::string describe(AuditRecord const& record, CompiledPolicy const& policy,
                     std::string_view reason) {
  std::string line = record.verdict == Verdict::allow ? "allowed " : "denied ";
  line += to_string(record.hook);
  if (about_labels(record.hook)) line += " " + label_text(record.subject_label, record, policy);
  if (about_two_labels(record.hook)) {
    line += " -> " + label_text(record.object_label, record, policy);
  }
  if (about_service(record.hook)) line += " " + to_string(record.service);
  std::string parties = printable(record.subject);
  if (!record.object.empty()) parties += " -> " + printable(record.object);
  line += " (" + parties + "): ";
  line += reason.empty() ? std::string_view(to_string(record.reason)) : reason;
  line += ";";
  if (std::string const rule = rule_text(record, policy); !rule.empty()) line += " " + rule;
  return line + " revision " + std::to_string(record.revision.value());
}

}  // namespace shamon
