// A policy for other systems' eyes and enforcement. Each export is written from decide()'s answers
// (decisions.hpp); what it cannot say is in its comments and in docs/import-export.md.
#pragma once

#include <string>

#include "policy/source.hpp"

namespace shamon {

/// SELinux CIL that secilc compiles by itself: class shamon_vm with one permission a hook, and
/// flow_out_some and flow_in_some where only some services may pass. An audit record's contexts
/// and permission are this policy's.
std::string export_cil(PolicyBuild const& build);

/// The permission map of that class for setools' information-flow analysis (seinfoflow -m).
std::string export_permission_map();

/// Types for labelled IPsec (domu_u:domu_r:green_t) and the rules of the kernel's classes
/// association and peer, as CIL that secilc compiles by itself. Without MLS, so that contexts have
/// three fields.
std::string export_ipsec(PolicyBuild const& build);

/// A module for Xen's FLASK policy (tools/flask/policy/modules), in its macros of xen.if.
std::string export_flask_module(PolicyBuild const& build);

/// The files of Xen's source that a whole FLASK policy begins with.
struct XenFlaskFiles {
  std::string security_classes;  ///< xen/xsm/flask/policy/security_classes
  std::string initial_sids;      ///< xen/xsm/flask/policy/initial_sids
  std::string access_vectors;    ///< xen/xsm/flask/policy/access_vectors
};

/// A whole FLASK policy with Xen's own class definitions, for `checkpolicy -t Xen`: Domain-0 may
/// do everything, every other domain what the policy says. Errors: `invalid` if a class or a
/// permission the rules need is not in these files.
Result<std::string> export_flask_policy(PolicyBuild const& build, XenFlaskFiles const& xen);

}  // namespace shamon
