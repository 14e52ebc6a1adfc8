#include "host/pushed_policy.hpp"

namespace shamon {

Result<PolicyBuild> read_pushed_policy(std::string const& name, std::string const& text,
                                       Revision revision) {
  auto build = build_policy(name, text);
  if (!build) {
    std::string mistakes;
    for (auto const& diagnostic : build.error()) {
      mistakes += (mistakes.empty() ? "" : "; ") + diagnostic.describe();
    }
    return fail(Errc::malformed, std::move(mistakes));
  }
  if (build->compiled.revision() != revision) {
    return fail(Errc::conflict, "the text says another revision than its message");
  }
  return std::move(*build);
}

}  // namespace shamon
