#include "operator/cli/policy_file.hpp"

#include <cstdio>

#include "base/file.hpp"
#include "operator/cli/output.hpp"
#include "policy/limits.hpp"

namespace shamon {

PolicyReader policy_file_reader() {
  return [](std::string const& file) { return read_policy_text(file); };
}

Result<std::string> read_policy_text(std::string const& path) {
  return read_text_file(path, kPolicyBytesMax);
}

std::optional<PolicyBuild> load_policy_file(std::string const& path) {
  auto const text = read_policy_text(path);
  if (!text) {
    report(text.error());
    return std::nullopt;
  }
  auto build = build_policy(path, *text, policy_file_reader());
  if (build) return std::move(*build);
  for (auto const& diagnostic : build.error()) std::fputs(diagnostic.show().c_str(), stderr);
  return std::nullopt;
}

}  // namespace shamon
