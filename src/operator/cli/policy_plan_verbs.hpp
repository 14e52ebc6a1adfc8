// policy plan: what a new policy would change, before it does.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Exit codes: 0 no goal becomes violated; 13 one does; 2 a file is wrong; 3, 5 no authority.
void add_policy_plan_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
