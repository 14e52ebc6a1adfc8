// Journal rows in the words of Linux's audit daemon, for ausearch, aureport, audit2why and
// audit2allow: USER_AVC for decisions about labels, and libaudit's types for a VM's life, what it
// is given, associations and policy (libaudit.h).
#pragma once

#include <string>
#include <vector>

#include "audit/chain.hpp"

namespace shamon {

/// The audit daemon's lines of one row, without newlines; they share time and serial, so the tools
/// show them as one event. `writer` is the start line before the row: whose process it was.
///   type=USER_AVC msg=audit(1764.123:42): pid=… uid=… auid=… ses=… subj=… msg='avc:  denied  {
///   flow_out } for  …
std::vector<std::string> to_audit_lines(AuditRow const& row, AuditStart const& writer);

/// "avc:  denied  { flow_out } for  … scontext=… tcontext=… tclass=shamon_vm permissive=0", the
/// part that the kernel would print.
std::string to_avc(AuditRow const& row);

}  // namespace shamon
