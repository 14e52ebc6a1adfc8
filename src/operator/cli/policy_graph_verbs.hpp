// policy graph: a policy as a picture.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Exit codes: 0 drawn; 2 the file is wrong.
void add_policy_graph_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
