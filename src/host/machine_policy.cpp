#include "host/machine_policy.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "policy/limits.hpp"
#include "policy/unite/translate.hpp"

namespace shamon {
namespace {

std::string in_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ';');
  return text;
}

}  // namespace

Result<MachinePolicy> MachinePolicy::read(std::string const& path) {
  MachinePolicy out;
  if (path.empty()) return out;
  auto text = read_text_file(path, kPolicyBytesMax + 1);
  if (!text) return pass(text);
  // One file and no includes: what is measured is all there is.
  auto build = build_policy(path, *text);
  if (!build) {
    std::string all;
    for (auto const& diagnostic : build.error()) {
      all += (all.empty() ? "" : "; ") + diagnostic.describe();
    }
    return fail(Errc::malformed, all);
  }
  out.text_ = std::move(*text);
  out.own_ = std::make_shared<PolicyBuild const>(std::move(*build));
  return out;
}

tl::expected<MachinePolicy::Combined, MachinePolicy::Refused> MachinePolicy::combine(
    std::shared_ptr<PolicyBuild const> coalition) const {
  if (!present()) return Combined{coalition, coalition, {}};
  UnionResult result = unite({coalition, own_});
  if (result.united) {
    return Combined{coalition, result.united->build, std::move(result.united->label_names[1])};
  }
  Refused refused;
  if (result.error) {
    refused.error = *result.error;
  } else {
    std::size_t const more = result.conflicts.size() - 1;
    refused.error.code = Errc::conflict;
    refused.error.message = "the policy does not agree with this machine's own: " +
                            in_one_line(result.conflicts.front().describe()) +
                            (more == 0 ? "" : " (and " + std::to_string(more) + " more)");
  }
  refused.conflicts = std::move(result.conflicts);
  return tl::unexpected(std::move(refused));
}

Result<MachinePolicy::Combined> MachinePolicy::judge(std::shared_ptr<PolicyBuild const> coalition,
                                                     Monitor& monitor, Journal& journal,
                                                     WallTime now) const {
  auto combined = combine(coalition);
  if (combined) return std::move(*combined);
  Revision const revision = coalition->compiled.revision();
  auto const permit = monitor.authorize(PolicyLoad{revision, false}, now);
  (void)permit;  // a denial: asked for its audit record
  std::string const name = coalition->compiled.coalition().value();
  for (auto const& conflict : combined.error().conflicts) {
    journal.event("policy_conflict", name, "", in_one_line(conflict.describe()), revision);
  }
  return tl::unexpected(combined.error().error);
}

Result<LabelName> MachinePolicy::label_of(LabelName const& configured, std::string_view site,
                                          Combined const& combined) const {
  if (present()) {
    auto const own = own_->compiled.find_label(configured);
    if (own && own->value() < combined.own_labels.size()) {
      return combined.own_labels[own->value()];
    }
  }
  auto const translated = translate(configured, site, *combined.coalition->document);
  if (!translated) return pass(translated);
  return translated->ours;
}

}  // namespace shamon
