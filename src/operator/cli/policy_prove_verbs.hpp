// policy prove: that the compiled policy says what its statements say.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Exit codes: 0 proved; 15 it differs, with what shows it; 2 the file is wrong; 3 no solver is
/// installed; 5 no answer in time; 1 the solver failed. Only 0 is a proof.
void add_policy_prove_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
