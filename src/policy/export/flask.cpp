// FLASK, Xen's form of SELinux policy. It judges grants (memory), event channels and devices; a
// network's packets pass through Domain-0, where FLASK sees no label of theirs.
#include <map>
#include <set>

#include "policy/document.hpp"
#include "policy/export/decisions.hpp"
#include "policy/export/export.hpp"
#include "policy/export/selinux_names.hpp"

namespace shamon {
namespace {

// Xen's own types, in xen.te and the modules beside it.
constexpr std::string_view kXenTypes[] = {
    "xenboot_t",       "xen_t",       "dom0_t",      "domio_t",   "domxen_t",
    "unlabeled_t",     "irq_t",       "ioport_t",    "iomem_t",   "device_t",
    "security_t",      "domU_t",      "dm_dom_t",    "dm_t",      "domHVM_t",
    "isolated_domU_t", "prot_domU_t", "nomigrate_t", "nic_dev_t", "xenstore_t"};
constexpr char kMap[] = "{ map_read map_write copy unmap }";

std::string m4_comment(std::string_view text) {
  std::string out = "# ";
  // m4 reads comments of Xen's modules too: no quotes of its.
  for (char c : text) out += c < 0x20 || c > 0x7e || c == '`' || c == '\'' ? '?' : c;
  return out + "\n";
}

/// A label's type. No label's type has _x before a _, so the prefix makes none that another has.
std::string flask_type(LabelAnswers const& label) {
  for (auto reserved : kXenTypes) {
    if (label.type == reserved) return "flask_x_" + label.type;
  }
  return label.type;
}

std::string allow(std::string const& subject, std::string const& object, char const* what) {
  return "allow " + subject + " " + object + ":" + what + ";\n";
}

/// What a domain needs to run, whoever it may talk to (xen.if, declare_domain).
std::string domain(std::string const& type) {
  std::string const self = type + "_self";
  std::string const channel = type + "_channel";
  std::string out = "type " + type + ", domain_type;\n";
  out += "type " + self + ", domain_type, domain_self_type;\n";
  out += "type " + channel + ", event_type;\n";
  out += "type " + type + "_device, resource_type;\n";
  out += "type_transition " + type + " " + type + ":domain " + self + ";\n";
  out += "type_transition " + type + " domain_type:event " + channel + ";\n";
  out += allow(type, self, "grant { query setup map_read map_write copy unmap }");
  out +=
      allow(type, self,
            "mmu { adjust physmap map_read map_write stat pinpage updatemp mmuext_op exchange }");
  out += allow(type, self, "hvm { getparam setparam altp2mhvm_op }");
  out += allow(type, self, "domain2 get_vnumainfo");
  out += allow(type, channel, "event { create send status }");
  return out + allow(channel, self, "event bind");
}

std::string map_memory(std::string const& owner, std::string const& user) {
  return "allow " + user + " " + owner + ":grant " + kMap + ";\n";
}

std::string rules_of_pair(LabelAnswers const& from, LabelAnswers const& to,
                          PairAnswers const& pair) {
  std::string const subject = flask_type(from);
  std::string const object = flask_type(to);
  std::string out;
  if (pair.memory) out += map_memory(subject, object);
  if (pair.events) out += allow(subject + "_channel", object, "event bind");
  if (pair.device) {
    out += allow(subject, object + "_device", "resource use_iommu");
    out += allow(subject, "domio_t", "mmu { map_read map_write }");
  }
  return out;
}

/// Everything but Domain-0's rights: the same in a module and in a whole policy.
std::string body(PolicyBuild const& build, std::vector<LabelAnswers> const& labels) {
  std::string out = m4_comment("coalition " + build.compiled.coalition().value() + " revision " +
                               std::to_string(build.compiled.revision().value()));
  out +=
      m4_comment("grant, event and resource are judged; flows through Domain-0 and walls are not.");
  for (auto const& label : labels) {
    out += "\n" + m4_comment("label " + label.name.value()) + domain(flask_type(label));
  }
  out += "\n";
  for (auto const& from : labels) {
    for (std::size_t to = 0; to < labels.size(); ++to) {
      out += rules_of_pair(from, labels[to], from.to[to]);
    }
  }
  return out;
}

/// `class NAME { PERMISSION… }`, as access_vectors has them.
std::map<std::string, std::set<std::string>> parse_classes(std::string_view text) {
  std::map<std::string, std::set<std::string>> classes;
  std::vector<std::string> words;
  while (!text.empty()) {
    std::size_t const end = text.find('\n');
    std::string_view line = text.substr(0, end);
    line = line.substr(0, line.find('#'));
    std::string word;
    for (char c : std::string(line) + " ") {
      bool const sign = c == '{' || c == '}';
      if (!sign && c != ' ' && c != '\t' && c != '\r') {
        word += c;
        continue;
      }
      if (!word.empty()) words.push_back(word);
      if (sign) words.push_back(std::string(1, c));
      word.clear();
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {
    if (words[i] != "class" || words[i + 2] != "{") continue;
    auto& permissions = classes[words[i + 1]];
    for (i += 3; i < words.size() && words[i] != "}"; ++i) permissions.insert(words[i]);
  }
  return classes;
}

std::vector<std::string> parse_sids(std::string_view text) {
  std::vector<std::string> sids;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const end = std::min(text.find('\n', at), text.size());
    std::string_view const line = text.substr(at, end - at);
    if (line.starts_with("sid ")) {
      std::string_view const name = line.substr(4);
      sids.emplace_back(name.substr(0, name.find_first_of(" \t\r")));
    }
    at = end + 1;
  }
  return sids;
}

/// What body() asks of Xen's definitions.
Status check_classes(std::map<std::string, std::set<std::string>> const& classes) {
  std::map<std::string, std::vector<char const*>> const needed = {
      {"domain", {"create"}},
      {"domain2", {"get_vnumainfo"}},
      {"grant", {"query", "setup", "map_read", "map_write", "copy", "unmap"}},
      {"mmu",
       {"adjust", "physmap", "map_read", "map_write", "stat", "pinpage", "updatemp", "mmuext_op",
        "exchange"}},
      {"hvm", {"getparam", "setparam", "altp2mhvm_op"}},
      {"event", {"create", "send", "status", "bind"}},
      {"resource", {"use_iommu"}},
  };
  for (auto const& [name, permissions] : needed) {
    auto const at = classes.find(name);
    if (at == classes.end()) return fail(Errc::invalid, "access_vectors has no class " + name);
    for (char const* permission : permissions) {
      if (at->second.count(permission) == 1) continue;
      return fail(Errc::invalid,
                  "access_vectors: class " + name + " has no permission " + permission);
    }
  }
  return {};
}

constexpr char kXenBase[] =
    "attribute xen_type;\nattribute domain_type;\nattribute domain_self_type;\n"
    "attribute resource_type;\nattribute event_type;\n"
    "type xenboot_t, xen_type;\ntype xen_t, xen_type;\ntype domio_t, xen_type;\n"
    "type domxen_t, xen_type;\ntype security_t, xen_type;\ntype unlabeled_t;\n"
    "type irq_t, resource_type;\ntype ioport_t, resource_type;\ntype iomem_t, resource_type;\n"
    "type device_t, resource_type;\n"
    "type dom0_t, domain_type;\ntype dom0_t_channel, event_type;\n"
    "type_transition dom0_t domain_type:event dom0_t_channel;\n";

/// Domain-0 and the boot code may do everything to what has a label, and nothing to what has none:
/// a domain without label cannot be made.
std::string privileged(std::map<std::string, std::set<std::string>> const& classes) {
  std::string out;
  for (auto const& [name, permissions] : classes) {
    out += "allow { dom0_t xenboot_t } { xen_type domain_type resource_type event_type }:" + name +
           " *;\n";
  }
  out += "allow xen_t resource_type:resource { remove_irq remove_ioport remove_iomem };\n";
  return out + "allow { dom0_t_channel } domain_type:event bind;\n";
}

std::string sid_type(std::string const& sid) {
  static std::map<std::string, std::string> const types = {
      {"xenboot", "xenboot_t"}, {"xen", "xen_t"},       {"dom0", "dom0_t"},
      {"domio", "domio_t"},     {"domxen", "domxen_t"}, {"security", "security_t"},
      {"irq", "irq_t"},         {"ioport", "ioport_t"}, {"iomem", "iomem_t"},
      {"device", "device_t"}};
  auto const at = types.find(sid);
  return at == types.end() ? "unlabeled_t" : at->second;
}

/// Domains talk to Domain-0, which runs their devices.
std::string with_domain_0(std::vector<LabelAnswers> const& labels) {
  std::string out;
  for (auto const& label : labels) {
    std::string const type = flask_type(label);
    out += map_memory("dom0_t", type) + allow(type + "_channel", "dom0_t", "event bind");
  }
  return out;
}

}  // namespace

std::string export_flask_module(PolicyBuild const& build) {
  auto const labels = ask_all(build);
  std::string out = body(build, labels);
  std::string types;
  for (auto const& label : labels) {
    std::string const type = flask_type(label);
    types += " " + type;
    out += "\ncreate_domain(dom0_t, " + type + ")\nmanage_domain(dom0_t, " + type +
           ")\nmigrate_domain_out(dom0_t, " + type + ")\ndomain_comms(dom0_t, " + type +
           ")\ndelegate_devices(dom0_t, " + type + ")\nadmin_device(dom0_t, " + type + "_device)\n";
  }
  if (!types.empty()) out += "\nrole system_r types {" + types + " };\n";
  return out;
}

Result<std::string> export_flask_policy(PolicyBuild const& build, XenFlaskFiles const& xen) {
  auto const classes = parse_classes(xen.access_vectors);
  if (auto checked = check_classes(classes); !checked) return pass(checked);
  auto const labels = ask_all(build);
  std::string out = xen.security_classes + "\n" + xen.initial_sids + "\n" + xen.access_vectors;
  out += "\n" + std::string(kXenBase) + privileged(classes) + "\n" + body(build, labels) + "\n";
  out +=
      with_domain_0(labels) + "\nrole system_r;\nrole system_r types { xen_type domain_type };\n";
  out += "role system_r types unlabeled_t;\nuser system_u roles { system_r };\n";
  for (auto const& sid : parse_sids(xen.initial_sids)) {
    bool const device = sid == "irq" || sid == "ioport" || sid == "iomem" || sid == "device";
    out += "sid " + sid + " system_u:" + (device ? "object_r" : "system_r") + ":" + sid_type(sid) +
           "\n";
  }
  return out;
}

}  // namespace shamon
