// `shamon lab up|down|status|restart|exec`.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

void add_lab_verbs(CLI::App& app, int& exit_code);

}  // namespace shamon
