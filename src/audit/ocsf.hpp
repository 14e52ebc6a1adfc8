// Journal rows as events of the Open Cybersecurity Schema Framework, one JSON object a line. Flows
// are Network Activity, associations Tunnel Activity, everything about a VM or policy Entity
// Management; each with the security_control profile. docs/audit.md has the table.
#pragma once

#include <string>

#include "audit/chain.hpp"

namespace shamon {

inline constexpr char const* kOcsfVersion = "1.3.0";

/// Without a newline. What is not UTF-8 in a name becomes U+FFFD.
std::string to_ocsf(AuditRow const& row, AuditStart const& writer);

}  // namespace shamon
