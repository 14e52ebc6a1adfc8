// Verbs that ask running daemons: status, watch, explain, host, vm, attest explain.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

void add_coalition_verbs(CLI::App& app, CLI::App& attest_noun, int& exit_code);

}  // namespace shamon
