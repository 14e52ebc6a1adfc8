// Our policies for other systems: policy export.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Adds `export cil|ipsec|flask FILE [-o OUT]`. Exit codes: 0 exported, 2 the policy, or a file it
/// is to be exported with, is wrong.
void add_policy_export_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
