// shamon audit tail|export|verify|key|head: what a machine decided, in words other tools read, and
// whether its journal is whole.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Adds the noun `audit`. verify ends with 0 if the journal holds, 15 if not.
void add_audit_verbs(CLI::App& app, int& exit_code);

}  // namespace shamon
