// Policies from files, with what they include.
#pragma once

#include <optional>
#include <string>

#include "policy/source.hpp"

namespace shamon {

/// Reads included files, as build_policy and flatten_policy want it.
PolicyReader policy_file_reader();

/// The file's own text. Errors: as read_text_file; `too_large` above kPolicyBytesMax.
Result<std::string> read_policy_text(std::string const& path);

/// The policy of a file, or every reason why there is none on standard error.
std::optional<PolicyBuild> load_policy_file(std::string const& path);

}  // namespace shamon
