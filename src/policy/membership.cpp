#include "policy/membership.hpp"

#include <algorithm>

namespace shamon {
namespace {

bool contains(std::vector<Name> const& names, std::string_view wanted) {
  return std::any_of(names.begin(), names.end(),
                     [&](Name const& name) { return name.text == wanted; });
}

std::string list(std::vector<Name> const& names) {
  std::string text;
  for (auto const& name : names) text += (text.empty() ? "" : ", ") + name.text;
  return "{" + text + "}";
}

std::string found(std::string const& value) {
  return value.empty() ? "unknown" : "'" + value + "'";
}

}  // namespace

std::string to_policy_text(Duration duration) {
  struct Unit {
    std::int64_t ns;
    char const* suffix;
  };
  for (Unit unit : {Unit{3'600'000'000'000, "h"}, Unit{60'000'000'000, "m"},
                    Unit{1'000'000'000, "s"}, Unit{1'000'000, "ms"}}) {
    if (duration.count() >= unit.ns && duration.count() % unit.ns == 0) {
      return std::to_string(duration.count() / unit.ns) + unit.suffix;
    }
  }
  return std::to_string(duration.count() / 1'000'000) + "ms";
}

MembershipDecision evaluate(HostCondition const& condition, HostFacts const& facts) {
  StatementId const statement = condition.origin.statement;
  auto refuse = [&](std::string reason) {
    return MembershipDecision{Verdict::deny, std::move(reason), statement};
  };
  if (!condition.platforms.empty() && !contains(condition.platforms, facts.platform)) {
    return refuse("platform is " + found(facts.platform) + ", not in " + list(condition.platforms));
  }
  if (condition.attested_within) {
    std::string const within = to_policy_text(*condition.attested_within);
    if (!facts.attested_ago) return refuse("not attested, and asked to be within " + within);
    if (*facts.attested_ago < Duration::zero()) return refuse("attested in the future");
    if (*facts.attested_ago > *condition.attested_within) {
      return refuse("attested " + to_policy_text(*facts.attested_ago) + " ago, not within " +
                    within);
    }
  }
  if (!condition.locations.empty() && !contains(condition.locations, facts.location)) {
    return refuse("location is " + found(facts.location) + ", not in " + list(condition.locations));
  }
  return {Verdict::allow, "every clause holds", statement};
}

MembershipDecision admit_host(PolicyDocument const& document, HostFacts const& facts) {
  MembershipDecision last{Verdict::deny, "no statement admits machines", {}};
  for (auto const& condition : document.host_conditions) {
    last = evaluate(condition, facts);
    if (last.allowed()) break;
  }
  return last;
}

MembershipDecision admit_image(PolicyDocument const& document, LabelName const& label,
                               std::string_view image) {
  MembershipDecision decision{
      Verdict::deny, "no statement admits VMs with label " + label.value(), {}};
  for (auto const& condition : document.vm_conditions) {
    if (condition.label.text != label.value()) continue;
    decision.statement = condition.origin.statement;
    decision.reason = "image is '" + std::string(image) + "', not in " + list(condition.images);
    if (!contains(condition.images, image)) continue;
    return {Verdict::allow, "image is listed for label " + label.value(), decision.statement};
  }
  return decision;
}

}  // namespace shamon
