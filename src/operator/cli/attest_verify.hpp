// `attest verify`: checks one recorded quote and its logs off line.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Exit codes: 0 only if signature, nonce, PCR digest and every given log agree; 3 a file is
/// missing; otherwise 10 and the reason on standard error.
void add_attest_verify(CLI::App& attest_noun, int& exit_code);

}  // namespace shamon
