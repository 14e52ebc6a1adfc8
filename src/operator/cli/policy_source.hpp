// The authority's policy in force, for verbs that are given no file.
#pragma once

#include <optional>
#include <string>

#include "policy/document.hpp"
#include "policy/source.hpp"

namespace shamon {

/// The policy in force in the coalition, asked from its authority; `authority` as in
/// find_authority_socket. On failure `exit_code` says what to return; told on standard error.
std::optional<PolicyBuild> load_policy_in_force(std::string const& authority, int& exit_code);

/// "boinc.policy:12".
std::string place_of(StatementOrigin const& origin);

}  // namespace shamon
