#include "policy/decision_text.hpp"

namespace shamon {

char const* to_string(Operation operation) noexcept {
  switch (operation) {
    case Operation::flow: return "flow";
    case Operation::share_memory: return "share_memory";
    case Operation::bind_event: return "bind_event";
    case Operation::start: return "start";
    case Operation::associate: return "associate";
    case Operation::assign_device: return "assign_device";
  }
  return "unknown operation";
}

char const* to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::common_type: return "common type";
    case Reason::allow_statement: return "allow statement";
    case Reason::same_label: return "same label";
    case Reason::no_wall: return "no wall";
    case Reason::label_known: return "label known";
    case Reason::releases: return "releases only";
    case Reason::policy_newer: return "newer compatible policy";
    case Reason::unknown_label: return "unknown label";
    case Reason::unknown_operation: return "unknown operation";
    case Reason::stale_revision: return "stale revision";
    case Reason::no_common_type: return "no common type";
    case Reason::service_not_allowed: return "service not allowed";
    case Reason::chinese_wall: return "Chinese Wall";
    case Reason::secrecy: return "secrecy";
    case Reason::integrity: return "integrity";
    case Reason::label_retired: return "label retired";
    case Reason::missing_input: return "missing input";
    case Reason::image_not_verified: return "image not verified";
    case Reason::peer_not_member: return "peer not a member";
    case Reason::peer_not_attested: return "peer not attested";
    case Reason::policy_incompatible: return "policy not compatible";
    case Reason::policy_not_newer: return "policy not newer";
    case Reason::label_changed: return "label changed";
    case Reason::guard_interface: return "guard talks only over its allowed services";
  }
  return "unknown reason";
}

}  // namespace shamon
