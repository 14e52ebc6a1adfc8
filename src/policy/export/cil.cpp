#include "policy/document.hpp"
#include "policy/export/decisions.hpp"
#include "policy/export/export.hpp"
#include "policy/export/selinux_names.hpp"

namespace shamon {
namespace {

/// One permission a hook (monitor/operations.hpp), by its name in audit records, then the two for
/// flows of some services. `flow` is how setools' information-flow analysis sees it: w from
/// subject to object, b both ways, n none.
struct Permission {
  std::string_view name;
  char flow;
};
constexpr Permission kPermissions[] = {
    {"vm_define", 'n'},     {"vm_start", 'n'},         {"vm_stop", 'n'},
    {"port_attach", 'n'},   {"memory_share", 'b'},     {"event_bind", 'b'},
    {"device_assign", 'b'}, {"association_open", 'n'}, {"association_close", 'n'},
    {"flow_out", 'w'},      {"flow_in", 'w'},          {"policy_load", 'n'},
    {"vm_migrate", 'n'},    {"flow_out_some", 'w'},    {"flow_in_some", 'w'},
};

/// What every policy for secilc must define, and the least of it.
std::string frame() {
  std::string out =
      "(handleunknown deny)\n"
      "(mls true)\n"
      "(sensitivity s0)\n(sensitivityorder (s0))\n"
      "(category c0)\n(categoryorder (c0))\n(sensitivitycategory s0 (c0))\n"
      "(sid kernel)\n(sid security)\n(sid unlabeled)\n(sidorder (kernel security unlabeled))\n";
  out += "(class " + std::string(kSelinuxClass) + " (";
  for (auto const& permission : kPermissions) {
    out += (&permission == kPermissions ? "" : " ") + std::string(permission.name);
  }
  out += "))\n(classorder (" + std::string(kSelinuxClass) + "))\n";
  std::string const user(kSelinuxUser);
  std::string const role(kSelinuxRole);
  std::string const unlabeled(kUnlabeledType);
  out += "(role " + role + ")\n(user " + user + ")\n(userrole " + user + " " + role + ")\n";
  out += "(userlevel " + user + " (s0))\n(userrange " + user + " ((s0) (s0)))\n";
  out += "(type " + unlabeled + ")\n(roletype " + role + " " + unlabeled + ")\n";
  for (char const* sid : {"kernel", "security", "unlabeled"}) {
    out += "(sidcontext " + std::string(sid) + " (" + user + " " + role + " " + unlabeled +
           " ((s0) (s0))))\n";
  }
  return out;
}

std::string attribute(std::string const& name, std::vector<LabelAnswers> const& labels,
                      bool guards_only) {
  std::string types;
  for (auto const& label : labels) {
    if (guards_only && !label.guard) continue;
    types += (types.empty() ? "" : " ") + label.type;
  }
  if (types.empty()) return "";
  return "(typeattribute " + name + ")\n(typeattributeset " + name + " (" + types + "))\n";
}

std::string types(std::vector<LabelAnswers> const& labels) {
  std::string out;
  for (auto const& label : labels) {
    if (label.type != label.name.value() + "_t") {
      out += cil_comment("label " + label.name.value());
    }
    out += "(type " + label.type + ")\n(roletype " + std::string(kSelinuxRole) + " " + label.type +
           ")\n";
  }
  return out + attribute("shamon_label", labels, false) + attribute("shamon_guard", labels, true);
}

void add(std::string& permissions, bool allowed, std::string_view names) {
  if (allowed) permissions += (permissions.empty() ? "" : " ") + std::string(names);
}

std::string rules(LabelAnswers const& from, LabelAnswers const& to, PairAnswers const& pair) {
  std::string permissions;
  if (&from == &to) {
    // Hooks about one label: always for a label that there is.
    add(permissions, true, "vm_define vm_stop port_attach association_close");
    add(permissions, from.associate, "association_open");
  }
  add(permissions, pair.start_beside, "vm_start vm_migrate");
  add(permissions, pair.memory, "memory_share");
  add(permissions, pair.events, "event_bind");
  add(permissions, pair.device, "device_assign");
  add(permissions, pair.every_service, "flow_out flow_in");
  add(permissions, pair.any_flow(), "flow_out_some flow_in_some");
  if (permissions.empty()) return "";
  std::string out;
  if (!pair.services.empty()) {
    std::string services;
    for (auto const& service : pair.services) services += " " + service;
    out += cil_comment(from.name.value() + " -> " + to.name.value() + ":" + services);
  }
  return out + "(allow " + from.type + " " + to.type + " (" + std::string(kSelinuxClass) + " (" +
         permissions + ")))\n";
}

}  // namespace

std::string export_cil(PolicyBuild const& build) {
  auto const labels = ask_all(build);
  std::string out = cil_comment("coalition " + build.compiled.coalition().value() + " revision " +
                                std::to_string(build.compiled.revision().value()));
  out +=
      cil_comment("flow_out, flow_in: every service; flow_out_some, flow_in_some: one at least.");
  out += cil_comment("vm_start, vm_migrate A B: A may start or arrive where B runs (A A: at all).");
  out += "\n" + frame() + "\n" + types(labels) + "\n";
  for (auto const& from : labels) {
    for (std::size_t to = 0; to < labels.size(); ++to) {
      out += rules(from, labels[to], from.to[to]);
    }
  }
  return out;
}

std::string export_permission_map() {
  constexpr std::size_t kWeight = 10;  // 1 to 10: how much a permission carries
  std::string out = "1\n\nclass " + std::string(kSelinuxClass) + " " +
                    std::to_string(std::size(kPermissions)) + "\n";
  for (auto const& permission : kPermissions) {
    out +=
        std::string(permission.name) + " " + permission.flow + " " + std::to_string(kWeight) + "\n";
  }
  return out;
}

}  // namespace shamon
