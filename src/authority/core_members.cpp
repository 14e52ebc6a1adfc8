// The life of members after they joined: challenges, silence, reports, revocation.
#include <fmt/format.h>

#include "authority/core.hpp"

namespace shamon {
namespace {

/// Challenges a member may leave open at once; older ones are forgotten.
constexpr std::size_t kOpenChallengesMax = 4;

bool is_member_state(HostState state) noexcept {
  return state == HostState::active || state == HostState::suspect;
}

std::string shorten(std::string text) {
  if (text.size() > kReasonBytesMax) text.resize(kReasonBytesMax);
  return text;
}

}  // namespace

Answer<HostName> AuthorityCore::authenticate(Certificate const& certificate, WallTime now) {
  std::string const prefix = fmt::format("shamon://{}/host/", options_.coalition.value());
  HostName name;
  for (auto const& alternative : certificate.alternative_names()) {
    if (alternative.starts_with(prefix)) name = HostName(alternative.substr(prefix.size()));
  }
  Member* const member = find(name);
  if (member == nullptr) {
    return refuse(Errc::denied, "the certificate is not of a machine of this coalition");
  }
  if (certificate.not_after() <= now || now < certificate.not_before()) {
    return refuse(Errc::stale, "the membership certificate has ended; join again");
  }
  if (certificate.public_key().spki_der() != member->record.tls_public) {
    return refuse(Errc::denied, "the certificate was replaced by a newer one");
  }
  if (!is_member_state(member->record.host_state())) {
    return refuse(Errc::denied,
                  fmt::format("{} is {}: {}", name.value(), to_string(member->record.host_state()),
                              member->record.reason));
  }
  // A newer one that we issued may never have arrived: then it needs another.
  member->certificate_until = certificate.not_after();
  return name;
}

void AuthorityCore::set_deadline(Member& member) {
  HostName const& host = member.record.host;
  deadlines_.erase({member.deadline, host});
  member.deadline = {};
  if (member.next_challenge == WallTime{}) return;
  member.deadline = member.next_challenge;
  if (member.silent_since != WallTime{}) {
    bool const suspect = member.record.host_state() == HostState::suspect;
    Duration const patience = suspect ? options_.unreachable_after : options_.challenge_timeout;
    member.deadline = std::min(member.deadline, member.silent_since + patience);
  }
  deadlines_.emplace(member.deadline, host);
}

WallTime AuthorityCore::next_deadline() const {
  if (deadlines_.empty()) return WallTime{std::numeric_limits<std::int64_t>::max()};
  return deadlines_.begin()->first;
}

void AuthorityCore::tick(WallTime now) {
  now_ = now;
  trust_.advance(now);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Member& member = members_.at(deadlines_.begin()->second);
    judge_silence(member, now);
    if (member.next_challenge != WallTime{} && member.next_challenge <= now) {
      send_challenge(member, now);
    }
    set_deadline(member);
  }
}

void AuthorityCore::judge_silence(Member& member, WallTime now) {
  if (!is_member_state(member.record.host_state())) {
    member.next_challenge = {};
    return;
  }
  if (member.attested && !trust_.is_member(member.record.host)) {
    revoke(member, RevokedBy::silence, "stale: its last good attestation is too long ago", {}, now);
    return;
  }
  if (member.silent_since == WallTime{}) return;
  Duration const silent = now - member.silent_since;
  if (silent >= options_.unreachable_after) {
    revoke(
        member, RevokedBy::silence,
        fmt::format("unreachable: no answer to a challenge for {} ms", silent.count() / 1'000'000),
        {}, now);
  } else if (silent >= options_.challenge_timeout &&
             member.record.host_state() == HostState::active) {
    member.record.set_state(HostState::suspect);
    member.record.reason = "unreachable: a challenge was not answered in time";
    StoreBatch batch;
    batch.changes.push_back(change(ChangeKind::member_suspect, now));
    batch.changes.back().member = to_member_entry(member.record);
    batch.changes.back().text = member.record.reason;
    batch.hosts.push_back(member.record);
    (void)commit(std::move(batch), now);
    note("suspect", member.record.host.value(), member.record.reason, now);
  }
}

void AuthorityCore::send_challenge(Member& member, WallTime now) {
  ChallengeMessage challenge = make_challenge(member);
  if (member.challenges.size() >= kOpenChallengesMax) {
    member.challenges.erase(member.challenges.begin());
  }
  member.challenges.push_back({challenge, now + options_.unreachable_after, member.memory});
  if (member.silent_since == WallTime{}) member.silent_since = now;
  member.next_challenge = now + options_.challenge_period;
  outputs_.emplace_back(FeedChallenge{member.record.host, std::move(challenge)});
}

void AuthorityCore::set_connected(HostName const& host, bool connected, WallTime now) {
  Member* const member = find(host);
  if (member == nullptr) return;
  member->connected = connected;
  if (!is_member_state(member->record.host_state())) return;
  // What was asked while it was away was not heard.
  if (connected && member->silent_since != WallTime{}) member->next_challenge = now;
  set_deadline(*member);
}

void AuthorityCore::revoke(Member& member, RevokedBy by, std::string const& reason,
                           std::vector<FindingMessage> findings, WallTime now) {
  HostRecord& record = member.record;
  record.set_state(HostState::revoked);
  record.revoked_by = static_cast<std::uint64_t>(by);
  record.reason = shorten(reason);
  record.findings = std::move(findings);
  member.challenges.clear();
  member.joins.clear();
  member.memory = {};
  member.attested = false;
  member.silent_since = {};
  member.next_challenge = {};
  set_deadline(member);
  // Facts of a failed appraisal stay for `explain`; they derive nothing.
  if (trust_.is_member(record.host)) trust_.drop_state(record.host);
  StoreBatch batch;
  batch.changes.push_back(change(ChangeKind::member_revoked, now));
  StatusChange& revoked = batch.changes.back();
  revoked.member = to_member_entry(record);
  revoked.text = record.reason;
  revoked.findings = record.findings;
  batch.hosts.push_back(record);
  if (auto const at = commit(std::move(batch), now)) propagating_ = Propagation{*at, now};
  note("revoked", record.host.value(), record.reason, now, record.findings);
}

void AuthorityCore::revoke_those_without_proof(RevokedBy by, std::string const& reason,
                                               WallTime now) {
  for (auto& [name, member] : members_) {
    if (!member.attested || !is_member_state(member.record.host_state())) continue;
    if (trust_.is_member(name)) continue;
    auto const missing = trust_.missing_for_member(name);
    FindingMessage finding;
    finding.rule = "trust.member";
    finding.component = name.value();
    finding.text = missing.empty() ? reason : missing.back();
    revoke(member, by, fmt::format("{}: {}", reason, finding.text), {finding}, now);
  }
}

Answer<Revision> AuthorityCore::acknowledge(Acknowledgement const& request, WallTime now) {
  Member* const member = find(request.host);
  if (member == nullptr) return refuse(Errc::not_found, "no such machine");
  if (request.revision > revision_) {
    return refuse(Errc::invalid, "a revision that does not exist yet was acknowledged");
  }
  if (request.revision <= member->acknowledged) return member->acknowledged;
  member->acknowledged = request.revision;
  if (request.revision >= policy_since_ && document_ != nullptr) {
    trust_.set_enforces(request.host,
                        fmt::format("acknowledged revision {}", request.revision.value()));
  }
  if (propagating_) {
    bool const all = std::all_of(members_.begin(), members_.end(), [&](auto const& entry) {
      return entry.second.record.host_state() != HostState::active || !entry.second.connected ||
             entry.second.acknowledged >= propagating_->revision;
    });
    if (all) {
      last_propagation_ = now - propagating_->began;
      propagating_.reset();
    }
  }
  return member->acknowledged;
}

Answer<Revision> AuthorityCore::report_vm(VmReport const& report, WallTime now) {
  VmEntry const& vm = report.vm;
  if (vm.vm.value().empty() || vm.host != report.host) {
    return refuse(Errc::invalid, "a machine reports its own VMs, by name");
  }
  static constexpr std::string_view kStates[] = {"running", "suspended", "stopped"};
  if (std::find(std::begin(kStates), std::end(kStates), vm.state) == std::end(kStates)) {
    return refuse(Errc::invalid, "a VM is running, suspended or stopped");
  }
  auto const known = vms_.find(vm.vm);
  // What a machine said that is no member any more does not keep its VMs from starting elsewhere.
  auto const runs_elsewhere = [&](VmEntry const& other) {
    Member const* const owner = find(other.host);
    return other.host != vm.host && other.state != "stopped" && owner != nullptr &&
           is_member_state(owner->record.host_state());
  };
  if (known != vms_.end() && runs_elsewhere(known->second)) {
    return refuse(Errc::conflict,
                  fmt::format("{} runs on {}", vm.vm.value(), known->second.host.value()));
  }
  if (known != vms_.end() && known->second.state == "revoked" && vm.state != "stopped") {
    return refuse(Errc::denied, fmt::format("{} is revoked until it was stopped", vm.vm.value()));
  }
  if (vm.state == "running") {
    if (!compiled_ || !compiled_->find_label(vm.label)) {
      return refuse(Errc::denied, "the policy has no label " + vm.label.value());
    }
    if (auto const ok = admit_image(*document_, vm.label, vm.image); !ok.allowed()) {
      return refuse(Errc::denied, ok.reason);
    }
    for (auto const& [name, other] : vms_) {
      bool const taken = other.state == "running" && other.address == vm.address;
      if (name != vm.vm && taken && vm.address != Ipv4{}) {
        return refuse(Errc::conflict,
                      fmt::format("{} has the address {}", name.value(), to_string(vm.address)));
      }
    }
  }
  if (known == vms_.end() && vms_.size() >= kVmsMax) {
    return refuse(Errc::too_large, "the directory of VMs is full");
  }
  StoreBatch batch;
  batch.changes.push_back(change(ChangeKind::vm_changed, now));
  batch.changes.back().vm = vm;
  batch.vms.push_back(vm);
  auto const at = commit(std::move(batch), now);
  if (!at) return refuse(at.error());
  trust_.set_vm(vm);
  vms_[vm.vm] = vm;
  note("vm_changed", vm.vm.value(),
       fmt::format("{} on {} as {}", vm.state, vm.host.value(), vm.label.value()), now);
  return *at;
}

Answer<Revision> AuthorityCore::report_failure(FailureReport const& report, WallTime now) {
  if (!report.about_vm.value().empty()) {
    auto const known = vms_.find(report.about_vm);
    if (known == vms_.end()) return refuse(Errc::not_found, "no such VM");
    if (known->second.host == report.reporter) {
      std::string text = "its machine found: ";
      text += report.findings.empty() ? "it failed its challenge" : report.findings.front().text;
      StoreBatch batch;
      VmEntry vm = known->second;
      vm.state = "revoked";
      batch.changes.push_back(change(ChangeKind::vm_revoked, now));
      batch.changes.back().vm = vm;
      batch.changes.back().text = shorten(text);
      batch.changes.back().findings = report.findings;
      batch.vms.push_back(vm);
      auto const at = commit(std::move(batch), now);
      if (!at) return refuse(at.error());
      propagating_ = Propagation{*at, now};
      trust_.set_vm(vm);
      known->second = vm;
      note("revoked", vm.vm.value(), text, now, report.findings);
      return *at;
    }
  }
  // One member's word does not cut off another; it makes us look at once.
  HostName const about =
      !report.about_vm.value().empty() ? vms_.at(report.about_vm).host : report.about_host;
  Member* const member = find(about);
  if (member == nullptr) return refuse(Errc::not_found, "no such machine");
  note("challenge_failed", about.value(), "reported by " + report.reporter.value(), now,
       report.findings);
  if (is_member_state(member->record.host_state())) {
    member->next_challenge = now;
    set_deadline(*member);
  }
  return revision_;
}

}  // namespace shamon
