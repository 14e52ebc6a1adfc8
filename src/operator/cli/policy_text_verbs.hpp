// Verbs about the text of a policy, off line: policy lint, fmt, flatten, digest.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

void add_policy_text_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
