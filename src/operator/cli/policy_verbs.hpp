// Verbs about policy files, off line: policy show and decide, and the noun all of them belong to.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Adds the noun `policy`. Its verbs set `exit_code`: 0 yes, 2 the file or the question is wrong,
/// 12 the policy denies.
void add_policy_verbs(CLI::App& app, int& exit_code);

}  // namespace shamon
