// policy flow: can information get from A to B, and do the goals hold.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Exit codes: 0 there is no path, or every goal holds; 13 there is one, printed; 2 the question
/// or the file is wrong.
void add_policy_flow_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
