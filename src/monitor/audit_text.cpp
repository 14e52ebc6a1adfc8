#include "monitor/audit_text.hpp"

#include "base/encoding.hpp"
#include "policy/decision_text.hpp"
#include "policy/service.hpp"

namespace shamon {
namespace {

/// Names come from outside. As the kernel does with untrusted strings (audit_log_untrustedstring):
/// quoted if printable and harmless, otherwise the bare hexadecimal of its bytes.
std::string quote(std::string_view text) {
  for (char c : text) {
    if (c < 0x21 || c > 0x7e || c == '"') return to_hex(as_bytes(text));
  }
  return "\"" + std::string(text) + "\"";
}

/// For people: nothing that could end the line or move the cursor.
std::string printable(std::string_view text) {
  std::string out;
  for (char c : text) out += c < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

bool about_labels(Hook hook) {
  return hook != Hook::policy_load;
}
bool about_two_labels(Hook hook) {
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
bool about_service(Hook hook) {
  return hook == Hook::flow_out || hook == Hook::flow_in;
}

std::string rule_text(AuditRecord const& record, CompiledPolicy const& policy) {
  StatementOrigin const origin = policy.origin(record.statement);
  if (record.revision != policy.revision() || origin.line == 0) return "";
  return printable(origin.file) + ":" + std::to_string(origin.line);
}

std::string label_text(LabelId id, AuditRecord const& record, CompiledPolicy const& policy) {
  // An id means nothing under another revision, and a wrong name would be worse than none.
  if (record.revision != policy.revision()) return "?";
  return policy.label_name(id).value();
}

std::string underscored(std::string text) {
  for (char& c : text) {
    if (c == ' ') c = '_';
  }
  return text;
}

}  // namespace

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

std::string describe(AuditRecord const& record, CompiledPolicy const& policy) {
  std::string line = record.verdict == Verdict::allow ? "allowed " : "denied ";
  line += to_string(record.hook);
  if (about_labels(record.hook)) line += " " + label_text(record.subject_label, record, policy);
  if (about_two_labels(record.hook)) {
    line += " -> " + label_text(record.object_label, record, policy);
  }
  if (about_service(record.hook)) line += " " + to_string(record.service);
  std::string parties = printable(record.subject);
  if (!record.object.empty()) parties += " -> " + printable(record.object);
  line += " (" + parties + "): " + to_string(record.reason) + ";";
  if (std::string const rule = rule_text(record, policy); !rule.empty()) line += " " + rule;
  return line + " revision " + std::to_string(record.revision.value());
}

std::string to_avc(AuditRecord const& record, CompiledPolicy const& policy) {
  std::string line = record.verdict == Verdict::allow ? "avc:  granted  { " : "avc:  denied  { ";
  line += std::string(to_string(record.hook)) + " } for  subject=" + quote(record.subject);
  if (!record.object.empty()) line += " object=" + quote(record.object);
  if (about_service(record.hook)) line += " service=" + underscored(to_string(record.service));
  line += " reason=" + underscored(to_string(record.reason));
  if (std::string const rule = rule_text(record, policy); !rule.empty()) {
    line += " rule=" + quote(rule);
  }
  line += " revision=" + std::to_string(record.revision.value());
  auto context = [&](LabelId label) {
    std::string const type = about_labels(record.hook) ? label_text(label, record, policy) : "";
    bool const named = !type.empty() && type != "?";
    return "shamon_u:vm_r:" + (named ? type : std::string("unlabeled_t")) + ":s0";
  };
  line += " scontext=" + context(record.subject_label);
  line += " tcontext=" + context(record.object_label);
  line += " tclass=shamon_vm";
  return record.verdict == Verdict::allow ? line : line + " permissive=0";
}

}  // namespace shamon
