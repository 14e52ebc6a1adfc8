// Verbs that replay measurement logs off line: `measure eventlog`, `measure ima`.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Exit codes: 0 replayed; 2 the log is malformed (offset and reason on standard error; what stands
/// before the offence is still printed); 3 no such file.
void add_measure_verbs(CLI::App& app, int& exit_code);

}  // namespace shamon
