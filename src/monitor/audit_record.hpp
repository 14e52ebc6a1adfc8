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

}  // namespace shamon
