// Verbs about the trust logic's proofs: proof host, check, rules.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Adds the noun `proof`. `check` sets `exit_code` to 0 if the proof holds, 15 if it does not, 2 if
/// the file is no proof.
void add_proof_verbs(CLI::App& app, int& exit_code);

}  // namespace shamon
