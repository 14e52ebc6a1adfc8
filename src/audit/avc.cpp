#include "audit/avc.hpp"

#include "base/encoding.hpp"
#include "policy/export/selinux_names.hpp"

namespace shamon {
namespace {

constexpr char const* kUnset = "4294967295";  ///< (uint32_t)-1: no login user, no session

/// Names come from outside. As the kernel does with untrusted strings (audit_log_untrustedstring):
/// quoted if printable and harmless, otherwise the bare hexadecimal of its bytes. A quote mark of
/// either kind would end the field or the message.
std::string quote(std::string_view text) {
  for (char c : text) {
    if (c < 0x21 || c > 0x7e || c == '"' || c == '\'') return to_hex(as_bytes(text));
  }
  return "\"" + std::string(text) + "\"";
}

/// For words of our own: no blanks, and nothing that could end the field.
std::string word(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool const harmless = c > 0x20 && c < 0x7f && c != '"' && c != '\'' && c != '=';
    out += harmless ? c : '_';
  }
  return out;
}

std::string context_of(std::string const& label) {
  bool const known = !label.empty() && label != "?";
  return selinux_context(known ? selinux_type(LabelName(label)) : std::string(kUnlabeledType));
}

void add_end(std::string& out, std::string_view address, std::string_view port,
             std::string const& endpoint) {
  std::size_t const colon = endpoint.rfind(':');
  if (endpoint.empty()) return;
  out += " " + std::string(address) + "=" + word(endpoint.substr(0, colon));
  if (colon != std::string::npos && endpoint.substr(colon + 1) != "0") {
    out += " " + std::string(port) + "=" + word(endpoint.substr(colon + 1));
  }
}

std::string grounds(AuditRow const& row) {
  std::string out = " reason=" + word(row.reason);
  if (!row.rule.empty()) out += " rule=" + quote(row.rule);
  out += " revision=" + std::to_string(row.revision.value());
  if (row.count != 1) out += " count=" + std::to_string(row.count);
  if (row.summary) out += " summary=1";
  return out;
}

struct Type {
  char const* name;     ///< as ausearch -m has it; libaudit.h's AUDIT_ is left out
  std::string message;  ///< without process and result
};

/// The record of what happened, beside the decision; none for flows and what VMs share, whose
/// decision is all there is to say.
std::vector<Type> occasion(AuditRow const& row) {
  std::string const vm = " vm=" + quote(row.subject) + " vm-ctx=" + context_of(row.subject_label);
  auto control = [&](char const* op) {
    return std::vector<Type>{{"VIRT_CONTROL", std::string("virt=shamon op=") + op + vm}};
  };
  auto resource = [&](char const* kind) {
    return std::vector<Type>{{"VIRT_RESOURCE", std::string("virt=shamon resrc=") + kind +
                                                   " reason=attach" + vm + " new-" + kind + "=" +
                                                   quote(row.object)}};
  };
  auto association = [&](char const* op) {
    return std::vector<Type>{
        {"CRYPTO_IPSEC_SA", std::string("op=") + op + " conn-name=" + quote(row.subject) +
                                " peer=" + quote(row.object) +
                                " satype=ipsec-esp samode=tunnel cipher=AES_GCM ksize=256 ctx=" +
                                context_of(row.subject_label)}};
  };
  if (row.hook == "vm_define") return {{"VIRT_MACHINE_ID", "virt=shamon model=shamon" + vm}};
  if (row.hook == "vm_start") return control("start");
  if (row.hook == "vm_stop") return control("stop");
  if (row.hook == "vm_migrate") return control("migrate");
  if (row.hook == "port_attach") return resource("net");
  if (row.hook == "device_assign") return resource("dev");
  if (row.hook == "association_open") return association("start");
  if (row.hook == "association_close") return association("destroy");
  if (row.hook == "policy_load") {
    return {{"USER_MAC_POLICY_LOAD", "op=load_policy lsm=shamon policy=" + quote(row.subject)}};
  }
  return {};
}

std::string envelope(AuditRow const& row, AuditStart const& writer, char const* type,
                     std::string const& message, bool with_result) {
  std::int64_t const ms = row.time.unix_ms;
  std::string fraction = std::to_string(ms % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  std::string const uid = std::to_string(writer.uid);
  std::string out = "type=" + std::string(type) + " msg=audit(" + std::to_string(ms / 1000) + "." +
                    fraction + ":" + std::to_string(row.sequence) +
                    "): pid=" + std::to_string(writer.pid) + " uid=" + uid + " auid=" + kUnset +
                    " ses=" + kUnset;
  out += " subj=" + (writer.context.empty() ? "unconfined" : word(writer.context));
  out += " msg='" + message + " exe=" + quote(writer.program);
  if (!with_result) out += " sauid=" + uid;
  out += " hostname=" + word(writer.host.value()) + " addr=? terminal=?";
  if (with_result) out += row.verdict == "allowed" ? " res=success" : " res=failed";
  return out + "'";
}

}  // namespace

std::string to_avc(AuditRow const& row) {
  bool const granted = row.verdict == "allowed";
  std::string line = granted ? "avc:  granted  { " : "avc:  denied  { ";
  line += word(row.hook) + " } for  subject=" + quote(row.subject);
  if (!row.object.empty()) line += " object=" + quote(row.object);
  if (!row.service.empty()) line += " service=" + word(row.service);
  add_end(line, "saddr", "src", row.source);
  add_end(line, "daddr", "dest", row.destination);
  line += grounds(row) + " scontext=" + context_of(row.subject_label) +
          " tcontext=" + context_of(row.object_label) + " tclass=" + std::string(kSelinuxClass);
  return granted ? line : line + " permissive=0";
}

std::vector<std::string> to_audit_lines(AuditRow const& row, AuditStart const& writer) {
  std::vector<std::string> out;
  auto const types = occasion(row);
  if (types.empty() || row.verdict != "allowed") {
    out.push_back(envelope(row, writer, "USER_AVC", to_avc(row), false));
  }
  for (auto const& [type, message] : types) {
    out.push_back(envelope(row, writer, type, message + grounds(row), true));
  }
  return out;
}

}  // namespace shamon
