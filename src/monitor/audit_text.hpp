// Audit records as text, for shamond and the command line. Nothing that mediates includes this
// file: the core keeps records as data, and tools/trusted-core-size counts it as soon as the core
// does.
#pragma once

#include <string>
#include <string_view>

#include "monitor/audit_record.hpp"

namespace shamon {

char const* to_string(Hook hook) noexcept;

/// The label's name, or "?" if the record is of another revision: an id means nothing under it, and
/// a wrong name would be worse than none.
std::string label_text(LabelId id, AuditRecord const& record, CompiledPolicy const& policy);
/// "boinc.policy:12"; empty if there is no rule or the record is of another revision.
std::string rule_text(AuditRecord const& record, CompiledPolicy const& policy);
bool about_labels(Hook hook) noexcept;
bool about_two_labels(Hook hook) noexcept;
bool about_service(Hook hook) noexcept;

/// One line for people: "denied flow_out red -> green tcp/22 (vm-red -> vm-green): no common type;
/// boinc.policy:12 revision 7". `reason`: in place of the record's, for refusals the gate makes
/// before any decision.
std::string describe(AuditRecord const& record, CompiledPolicy const& policy,
                     std::string_view reason = {});

}  // namespace shamon
