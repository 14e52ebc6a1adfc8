// shamon policy lsp: the language server on standard input and output.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

void add_policy_lsp_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
