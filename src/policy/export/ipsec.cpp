#include "policy/document.hpp"
#include "policy/export/decisions.hpp"
#include "policy/export/export.hpp"
#include "policy/export/selinux_names.hpp"

namespace shamon {
namespace {

// No label's type lacks the ending _t, so none has this name.
constexpr std::string_view kKeyDaemon = "key_daemon";

std::string allow(std::string_view subject, std::string_view object, char const* permissions) {
  return "(allow " + std::string(subject) + " " + std::string(object) + " " + permissions + ")\n";
}

/// Without MLS a context has three fields; secilc wants levels all the same and drops them.
constexpr char kFrame[] =
    "(handleunknown deny)\n"
    "(mls false)\n"
    "(sensitivity s0)\n(sensitivityorder (s0))\n"
    "(category c0)\n(categoryorder (c0))\n(sensitivitycategory s0 (c0))\n"
    "(sid kernel)\n(sid security)\n(sid unlabeled)\n(sidorder (kernel security unlabeled))\n"
    "(class association (sendto recvfrom setcontext polmatch))\n"
    "(class peer (recv))\n"
    "(classorder (association peer))\n"
    "(policycap network_peer_controls)\n"
    "(role domu_r)\n(role object_r)\n(user domu_u)\n(userrole domu_u domu_r)\n"
    "(userlevel domu_u (s0))\n(userrange domu_u ((s0) (s0)))\n"
    "(type unlabeled_t)\n(roletype domu_r unlabeled_t)\n"
    "(sidcontext kernel (domu_u domu_r unlabeled_t ((s0) (s0))))\n"
    "(sidcontext security (domu_u domu_r unlabeled_t ((s0) (s0))))\n"
    "(sidcontext unlabeled (domu_u domu_r unlabeled_t ((s0) (s0))))\n"
    "(type key_daemon)\n(roletype domu_r key_daemon)\n";

/// `to` takes what comes under an association of `from`.
std::string receive(LabelAnswers const& from, LabelAnswers const& to, PairAnswers const& pair) {
  if (!from.associate || !to.associate || !pair.any_flow()) return "";
  if (pair.every_service) {
    return allow(to.type, from.type, "(association (recvfrom))") +
           allow(to.type, from.type, "(peer (recv))");
  }
  std::string services;
  for (auto const& service : pair.services) services += " " + service;
  return cil_comment("not granted, because an association has no service: " + from.name.value() +
                     " -> " + to.name.value() + services);
}

}  // namespace

std::string export_ipsec(PolicyBuild const& build) {
  auto const labels = ask_all(build);
  std::string out = cil_comment("coalition " + build.compiled.coalition().value() + " revision " +
                                std::to_string(build.compiled.revision().value()));
  out +=
      cil_comment("An association carries its sender's type: ip xfrm ... ctx domu_u:domu_r:TYPE");
  out += cil_comment("polmatch, sendto: own associations; recvfrom, recv: whose packets to take.");
  out += "\n" + std::string(kFrame) + "\n";
  for (auto const& label : labels) {
    if (label.type != label.name.value() + "_t") out += cil_comment("label " + label.name.value());
    out += "(type " + label.type + ")\n(roletype domu_r " + label.type + ")\n";
  }
  out += "\n";
  for (auto const& label : labels) {
    if (!label.associate) continue;
    out += allow(label.type, label.type, "(association (polmatch sendto))");
    out += allow(kKeyDaemon, label.type, "(association (setcontext polmatch))");
  }
  for (auto const& from : labels) {
    for (std::size_t to = 0; to < labels.size(); ++to) {
      out += receive(from, labels[to], from.to[to]);
    }
  }
  return out;
}

}  // namespace shamon
