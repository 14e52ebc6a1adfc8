// What operators decide: revocation, policy, reference values.
#include <fmt/format.h>

#include "authority/core.hpp"
#include "base/encoding.hpp"

namespace shamon {
namespace {

std::string prefixed(Digest const& digest) {
  return fmt::format("{}:{}", to_string(digest.algorithm()), digest.hex());
}

Result<Digest> parse_prefixed(std::string const& text) {
  auto const colon = text.find(':');
  if (colon == std::string::npos) return fail(Errc::malformed, "a digest reads sha256:HEX");
  auto const algorithm = parse_hash_algorithm(text.substr(0, colon));
  if (!algorithm) return pass(algorithm);
  auto const bytes = from_hex(std::string_view(text).substr(colon + 1));
  if (!bytes) return pass(bytes);
  return Digest::from_bytes(*algorithm, *bytes);
}

/// Spells every digest the same way. Errors: `malformed`, `too_large`, with the value's component.
Status normalise(std::vector<ReferenceValueMessage>& values) {
  if (values.size() > kReferenceValuesMax) return fail(Errc::too_large, "too many values");
  for (auto& value : values) {
    auto const digest = parse_prefixed(value.digest);
    if (!digest) return pass(digest, "reference value of '" + value.component + "'");
    if (value.component.empty()) return fail(Errc::malformed, "a reference value has a component");
    value.digest = prefixed(*digest);
  }
  return {};
}

using ValueKey = std::pair<std::string, std::string>;
std::map<ValueKey, ReferenceValueMessage> by_key(std::vector<ReferenceValueMessage> const& values) {
  std::map<ValueKey, ReferenceValueMessage> out;
  for (auto const& value : values) out[{value.component, value.digest}] = value;
  return out;
}

bool equal(std::vector<ReferenceValueMessage> const& a,
           std::vector<ReferenceValueMessage> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto const& x, auto const& y) {
    return x.component == y.component && x.digest == y.digest && x.trusted == y.trusted &&
           x.source == y.source;
  });
}

std::vector<ReferenceValueMessage> to_list(std::map<ValueKey, ReferenceValueMessage> const& map) {
  std::vector<ReferenceValueMessage> out;
  out.reserve(map.size());
  for (auto const& [key, value] : map) out.push_back(value);
  return out;
}

constexpr std::string_view kPolicyComponent = "policy";

}  // namespace

Answer<Revision> AuthorityCore::revoke_host(HostName const& host, std::string const& reason,
                                            WallTime now) {
  Member* const member = find(host);
  if (member == nullptr) return refuse(Errc::not_found, "no machine is named " + host.value());
  if (member->record.revoked_by == static_cast<std::uint64_t>(RevokedBy::operators)) {
    return refuse(Errc::conflict, host.value() + " is revoked already");
  }
  revoke(*member, RevokedBy::operators, reason.empty() ? "an operator's decision" : reason, {},
         now);
  if (!healthy_) return refuse(Errc::system, "the revocation could not be stored");
  return revision_;
}

Answer<Revision> AuthorityCore::reinstate_host(HostName const& host, WallTime now) {
  Member* const member = find(host);
  if (member == nullptr) return refuse(Errc::not_found, "no machine is named " + host.value());
  if (member->record.revoked_by != static_cast<std::uint64_t>(RevokedBy::operators)) {
    return refuse(Errc::conflict, "no operator revoked " + host.value());
  }
  member->record.set_state(HostState::registered);
  member->record.revoked_by = 0;
  member->record.reason.clear();
  StoreBatch batch;
  batch.hosts.push_back(member->record);
  if (auto ok = commit(std::move(batch), now); !ok) return refuse(ok.error());
  note("reinstated", host.value(), "it may join again", now);
  return revision_;
}

Answer<Revision> AuthorityCore::revoke_vm(VmName const& name, std::string const& reason,
                                          WallTime now) {
  auto const known = vms_.find(name);
  if (known == vms_.end()) return refuse(Errc::not_found, "no VM is named " + name.value());
  VmEntry vm = known->second;
  vm.state = "revoked";
  StoreBatch batch;
  batch.changes.push_back(change(ChangeKind::vm_revoked, now));
  batch.changes.back().vm = vm;
  batch.changes.back().text = reason.empty() ? "an operator's decision" : reason;
  batch.vms.push_back(vm);
  auto const at = commit(std::move(batch), now);
  if (!at) return refuse(at.error());
  propagating_ = Propagation{*at, now};
  trust_.set_vm(vm);
  known->second = std::move(vm);
  note("revoked", name.value(), reason, now);
  return *at;
}

/// A machine that loaded this policy has it in its log for good, so its digests stay approved.
std::vector<ReferenceValueMessage> AuthorityCore::with_policy_values(
    PolicyMessage const& policy, CompiledPolicy const& compiled) const {
  auto values = by_key(values_);
  std::vector<Digest> digests{sha256(as_bytes(policy.text)), sha256(compiled.image())};
  if (auto const canonical = format_policy(policy.name, policy.text)) {
    digests.push_back(sha256(as_bytes(*canonical)));
  }
  for (auto const& digest : digests) {
    ReferenceValueMessage value{std::string(kPolicyComponent), prefixed(digest), true,
                                fmt::format("policy revision {}", policy.revision.value())};
    values[{value.component, value.digest}] = value;
  }
  return to_list(values);
}

void AuthorityCore::use_policy(PolicyMessage policy, PolicyBuild build) {
  document_ = build.document;
  compiled_ = std::move(build.compiled);
  policy_ = std::move(policy);
  policy_since_ = revision_;
  auto const canonical = format_policy(policy_.name, policy_.text);
  std::vector<LabelName> labels;
  for (auto const& label : document_->labels) labels.emplace_back(label.name.text);
  trust_.set_policy(prefixed(sha256(as_bytes(canonical ? *canonical : policy_.text))),
                    policy_.revision, labels);
}

void AuthorityCore::use_reference_values(std::vector<ReferenceValueMessage> values) {
  values_ = std::move(values);
  reference_ = {};
  for (auto const& value : values_) {
    auto const digest = parse_prefixed(value.digest);
    if (digest) reference_.add({value.component, *digest, value.trusted, value.source, {}});
  }
  trust_.set_approved(values_);
}

Answer<Revision> AuthorityCore::set_policy(PolicyMessage const& given, WallTime now) {
  trust_.advance(now);
  auto build = build_policy(given.name.empty() ? "policy" : given.name, given.text);
  if (!build) {
    std::string lines;
    for (auto const& diagnostic : build.error()) {
      lines += (lines.empty() ? "" : "\n") + diagnostic.describe();
    }
    return refuse(Errc::malformed, lines);
  }
  PolicyMessage policy = given;
  policy.revision = build->compiled.revision();
  if (build->compiled.coalition() != options_.coalition) {
    return refuse(Errc::invalid,
                  fmt::format("the policy is for '{}', this is the authority of '{}'",
                              build->compiled.coalition().value(), options_.coalition.value()));
  }
  if (policy.revision <= policy_.revision) {
    return refuse(Errc::conflict, fmt::format("revision {} is not newer than revision {} in force",
                                              policy.revision.value(), policy_.revision.value()));
  }
  StoreBatch batch;
  auto values = with_policy_values(policy, build->compiled);
  // Values first: a member that loads the policy is then already trusted with it by its peers.
  batch.changes.push_back(change(ChangeKind::reference_values, now));
  batch.changes.back().reference_values = values;
  batch.reference_values = values;
  batch.changes.push_back(change(ChangeKind::policy_changed, now));
  batch.changes.back().policy_revision = policy.revision;
  batch.changes.back().policy_name = policy.name;
  batch.changes.back().policy_text = policy.text;
  batch.policy = policy;
  auto const at = commit(std::move(batch), now);
  if (!at) return refuse(at.error());
  use_reference_values(std::move(values));
  use_policy(std::move(policy), std::move(*build));
  note("policy_changed", policy_.name, fmt::format("revision {}", policy_.revision.value()), now);
  for (auto& [name, member] : members_) {
    std::string why;
    if (member.attested) (void)update_fits(member, now, why);
  }
  revoke_those_without_proof(RevokedBy::policy, "the new policy does not admit it", now);
  return *at;
}

Answer<Revision> AuthorityCore::set_reference_values(std::vector<ReferenceValueMessage> values,
                                                     bool replace, WallTime now) {
  trust_.advance(now);
  if (auto ok = normalise(values); !ok) return refuse(ok.error());
  auto const before = by_key(values_);
  std::map<ValueKey, ReferenceValueMessage> after;
  for (auto const& [key, value] : before) {
    // What the authority itself approved stays: machines have those policies in their logs.
    bool const own = key.first == kPolicyComponent && value.source.starts_with("policy revision");
    if (!replace || own) after[key] = value;
  }
  for (auto& value : values) after[{value.component, value.digest}] = std::move(value);
  bool const lost = std::any_of(before.begin(), before.end(), [&](auto const& entry) {
    auto const now_known = after.find(entry.first);
    return entry.second.trusted && (now_known == after.end() || !now_known->second.trusted);
  });
  if (equal(to_list(after), values_)) return revision_;
  StoreBatch batch;
  batch.changes.push_back(change(ChangeKind::reference_values, now));
  batch.changes.back().reference_values = to_list(after);
  batch.reference_values = to_list(after);
  auto const at = commit(std::move(batch), now);
  if (!at) return refuse(at.error());
  use_reference_values(to_list(after));
  note("reference_values", "authority", fmt::format("{} values", values_.size()), now);
  if (!lost) return *at;
  revoke_those_without_proof(RevokedBy::attestation, "a component is no longer trusted", now);
  for (auto& [name, member] : members_) {
    // Files measured long ago are looked at again: the next answers bring whole logs.
    member.memory = {};
    member.challenges.clear();
    if (member.next_challenge == WallTime{}) continue;
    member.next_challenge = now;
    set_deadline(member);
  }
  return *at;
}

}  // namespace shamon
