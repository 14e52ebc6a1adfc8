// Policies of other systems as ours: policy import.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Adds `import shype FILE… [-o OUT]`. Exit codes: 0 imported, 2 a file is wrong.
void add_policy_import_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
