// shamon policy union, compat, translate: may several policies be one, and what are labels called.
#pragma once

#include <CLI/CLI.hpp>

namespace shamon {

void add_policy_union_verbs(CLI::App& policy_noun, int& exit_code);

}  // namespace shamon
