#include "authority/core.hpp"

#include <fmt/format.h>

namespace shamon {

AuthorityCore::AuthorityCore(AuthorityOptions options, AuthorityKeys keys, Store& store)
    : options_(std::move(options)),
      keys_(std::move(keys)),
      store_(store),
      trust_(options_.coalition, options_.appraisal.required_components) {}

Result<std::unique_ptr<AuthorityCore>> AuthorityCore::create(AuthorityOptions options,
                                                             AuthorityKeys keys, Store& store,
                                                             WallTime now) {
  if (options.appraisal.required_components.empty()) {
    return fail(Errc::invalid, "at least one required component must be named");
  }
  if (!options.random) return fail(Errc::invalid, "a source of randomness is needed");
  if (options.membership > kMembershipLifeMax || options.membership <= Duration::zero()) {
    return fail(Errc::invalid, "a membership lasts at most an hour");
  }
  if (options.challenge_timeout > options.unreachable_after) {
    return fail(Errc::invalid, "suspicion comes before revocation");
  }
  std::unique_ptr<AuthorityCore> core(
      new AuthorityCore(std::move(options), std::move(keys), store));
  if (auto ok = core->load(now); !ok) return pass(ok, "take up the store");
  return core;
}

Status AuthorityCore::load(WallTime now) {
  auto snapshot = store_.snapshot();
  if (!snapshot) return pass(snapshot);
  started_ = now_ = now;
  trust_.advance(now);
  revision_ = snapshot->revision;
  use_reference_values(std::move(snapshot->reference_values));
  if (snapshot->policy.revision != Revision{}) {
    auto build = build_policy(snapshot->policy.name, snapshot->policy.text);
    if (!build) return fail(Errc::invalid, build.error().front().describe());
    use_policy(std::move(snapshot->policy), std::move(*build));
  }
  for (auto& record : snapshot->hosts) {
    trust_.set_registered(record, "registration before the last restart");
    by_ek_[record.ek_fingerprint] = record.host;
    Member member;
    member.record = std::move(record);
    HostState const state = member.record.host_state();
    // What a member proved to an earlier life of ours is forgotten: it is asked at once.
    if (state == HostState::active || state == HostState::suspect) {
      member.next_challenge = now;
      member.silent_since = now;
    }
    HostName const name = member.record.host;
    set_deadline(members_.emplace(name, std::move(member)).first->second);
  }
  for (auto& vm : snapshot->vms) {
    trust_.set_vm(vm);
    VmName const name = vm.vm;
    vms_.emplace(name, std::move(vm));
  }
  return {};
}

AuthorityCore::Member* AuthorityCore::find(HostName const& host) {
  auto const known = members_.find(host);
  return known == members_.end() ? nullptr : &known->second;
}

AuthorityCore::Member const* AuthorityCore::find(HostName const& host) const {
  auto const known = members_.find(host);
  return known == members_.end() ? nullptr : &known->second;
}

StatusChange AuthorityCore::change(ChangeKind kind, WallTime now) const {
  StatusChange out;
  out.kind = kind;
  out.time = now;
  return out;
}

/// Numbers the batch's changes, stores them, and only then lets them out.
Result<Revision> AuthorityCore::commit(StoreBatch batch, WallTime now) {
  Revision next = revision_;
  for (auto& change : batch.changes) {
    next = Revision(next.value() + 1);
    change.revision = next;
    if (encode_cbor(change).size() > StatusChange::kLimits.bytes_max) {
      return fail(Errc::too_large, "the change is too large for the status feed");
    }
  }
  if (auto ok = store_.append(batch); !ok) {
    healthy_ = false;
    note("store_failed", "authority", ok.error().describe(), now);
    return pass(ok);
  }
  revision_ = next;
  for (auto& change : batch.changes) outputs_.emplace_back(std::move(change));
  return revision_;
}

void AuthorityCore::note(std::string kind, std::string subject, std::string text, WallTime now,
                         std::vector<FindingMessage> findings) {
  EventRow row;
  row.time = now;
  row.source = "authority";
  row.kind = std::move(kind);
  row.subject = std::move(subject);
  row.object = options_.coalition.value();
  row.text = std::move(text);
  row.revision = revision_;
  row.findings = std::move(findings);
  outputs_.emplace_back(std::move(row));
}

AuthorityStatus AuthorityCore::status() const {
  AuthorityStatus out;
  out.coalition = options_.coalition;
  out.revision = revision_;
  out.policy_revision = policy_.revision;
  out.policy_digest = trust_.policy_digest();
  out.uptime_ms =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_.unix_ms - started_.unix_ms));
  for (auto const& [name, member] : members_) {
    HostState const state = member.record.host_state();
    bool const active = state == HostState::active || state == HostState::suspect;
    if (active) ++out.members_active;
    if (member.connected) ++out.members_connected;
    if (state == HostState::revoked) ++out.members_revoked;
    if (active && member.acknowledged < revision_) out.unacknowledged.push_back(name);
  }
  for (auto const& [name, vm] : vms_) out.vms_running += vm.state == "running" ? 1 : 0;
  return out;
}

HostRow AuthorityCore::to_row(Member const& member) const {
  HostRow row;
  HostRecord const& record = member.record;
  row.host = record.host;
  row.state = std::string(to_string(record.host_state()));
  if (record.host_state() == HostState::registered && !member.joins.empty())
    row.state = "challenged";
  row.platform = record.platform;
  row.location = record.location;
  row.ek_fingerprint = record.ek_fingerprint;
  row.control = record.control;
  row.tunnel = record.tunnel;
  row.last_attested = record.last_attested;
  row.acknowledged = member.acknowledged;
  row.connected = member.connected;
  row.reason = record.reason;
  row.findings = record.findings;
  return row;
}

HostList AuthorityCore::hosts() const {
  HostList out;
  for (auto const& [name, member] : members_) out.hosts.push_back(to_row(member));
  return out;
}

Answer<HostRow> AuthorityCore::host(HostName const& name) const {
  Member const* const member = find(name);
  if (member == nullptr) return refuse(Errc::not_found, "no machine is named " + name.value());
  return to_row(*member);
}

VmList AuthorityCore::vms() const {
  VmList out;
  for (auto const& [name, vm] : vms_) out.vms.push_back(vm);
  return out;
}

Explanation AuthorityCore::explain_host(HostName const& name) const {
  Explanation out;
  out.question = fmt::format("is {} a member of {}?", name.value(), options_.coalition.value());
  Member const* const member = find(name);
  if (member == nullptr) {
    out.verdict = "unknown";
    out.lines.push_back("no machine of that name is registered");
    return out;
  }
  HostState const state = member->record.host_state();
  out.findings = member->record.findings;
  out.lines.push_back(fmt::format("{} is {}", name.value(), to_string(state)));
  if (!member->record.reason.empty()) out.lines.push_back("because " + member->record.reason);
  auto const proof = trust_.prove_member(name);
  bool const active = state == HostState::active || state == HostState::suspect;
  out.verdict = active && proof ? "trusted" : "not trusted";
  std::vector<std::string> const lines =
      proof ? proof_lines(*proof, builtin_rules()) : trust_.missing_for_member(name);
  out.lines.insert(out.lines.end(), lines.begin(), lines.end());
  return out;
}

}  // namespace shamon
