// Audit records as text, for shamond and the command line. Nothing that mediates includes this
// file: the core keeps records as data, and tools/trusted-core-size counts it as soon as the core
// does.
#pragma once

#include <string>

#include "monitor/audit_record.hpp"

namespace shamon {

char const* to_string(Hook hook) noexcept;

/// One line for people: "denied flow_out red -> green tcp/22 (vm-red -> vm-green): no common type;
/// boinc.policy:12 revision 7".
std::string describe(AuditRecord const& record, CompiledPolicy const& policy);

/// The kernel's AVC text form, which ausearch, audit2why and audit2allow read:
/// avc:  denied  { flow_out } for  … scontext=shamon_u:vm_r:red:s0 tcontext=… tclass=shamon_vm
std::string to_avc(AuditRecord const& record, CompiledPolicy const& policy);

}  // namespace shamon
