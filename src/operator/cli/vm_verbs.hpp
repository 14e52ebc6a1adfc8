// Verbs that change a VM on its machine: vm suspend, resume, stop.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

/// Adds them to the noun `vm`. They ask the VM's own host monitor on its admin socket, so they work
/// on that machine, as root or the daemon's user.
void add_vm_verbs(CLI::App& vm_noun, int& exit_code);

}  // namespace shamon
