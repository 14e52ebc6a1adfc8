// From a decision to its row in the journal.
#pragma once

#include "coalition/messages/operator.hpp"
#include "monitor/audit_record.hpp"
#include "tunnel/gate_control.hpp"

namespace shamon {

/// A decision of this process's own monitor.
AuditRow row_of(AuditRecord const& record, CompiledPolicy const& policy);
/// One of the gate's. Labels are those the gate named; the rule is told if the revision is ours.
AuditRow row_of(gate::Audit const& audit, CompiledPolicy const& policy, WallTime now);

}  // namespace shamon
