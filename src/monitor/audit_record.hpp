// What every decision leaves behind: who, what, why, by which rule of which revision.
#pragma once

#include <string>

#include "base/time.hpp"
#include "monitor/operations.hpp"
#include "policy/decide.hpp"

namespace shamon {

struct AuditRecord {
  WallTime time;
  Hook hook = Hook::flow_out;
  Verdict verdict = Verdict::deny;
  Reason reason = Reason::unknown_operation;
  LabelId subject_label{};
  LabelId object_label{};
  std::string subject;  ///< VM, port or host by name, as the hook has it
  std::string object;
  Service service{};
  Revision revision{};
  StatementId statement{};
};

/// One line for people: "denied flow_out red -> green tcp/22 (vm-red -> vm-green): no common type;
/// boinc.policy:12 revision 7".
std::string describe(AuditRecord const& record, CompiledPolicy const& policy);

/// The kernel's AVC text form, which ausearch, audit2why and audit2allow read:
/// avc:  denied  { flow_out } for  … scontext=shamon_u:vm_r:red:s0 tcontext=… tclass=shamon_vm
std::string to_avc(AuditRecord const& record, CompiledPolicy const& policy);

}  // namespace shamon
