// Messages 3–4: challenge, evidence, verdict, proof of acceptance.
#include <fmt/format.h>

#include "authority/core.hpp"
#include "base/ipv4_text.hpp"

namespace shamon {
namespace {

/// True if the evidence itself is authentic and whatever is wrong is what it shows.
bool is_authentic(AppraisalResult const& result) noexcept {
  for (auto const& finding : result.findings) {
    switch (finding.rule) {
      case AppraisalRule::accepted:
      case AppraisalRule::ima_violation:
      case AppraisalRule::component_unknown:
      case AppraisalRule::component_untrusted:
      case AppraisalRule::component_missing:
      case AppraisalRule::reference_retired:
      case AppraisalRule::policy_mismatch: break;
      case AppraisalRule::quote_signature:
      case AppraisalRule::quote_nonce:
      case AppraisalRule::quote_shape:
      case AppraisalRule::quote_clock:
      case AppraisalRule::pcr_digest:
      case AppraisalRule::event_log_malformed:
      case AppraisalRule::event_log_replay:
      case AppraisalRule::ima_log_malformed:
      case AppraisalRule::ima_log_replay:
      case AppraisalRule::key_not_restricted: return false;
    }
  }
  return true;
}

FindingMessage finding_of(std::string rule, std::string component, std::string text) {
  FindingMessage out;
  out.rule = std::move(rule);
  out.component = std::move(component);
  out.text = std::move(text);
  return out;
}

std::string join_lines(std::vector<std::string> const& lines) {
  std::string out;
  for (auto const& line : lines) out += (out.empty() ? "" : "; ") + line;
  if (out.size() > kReasonBytesMax) out.resize(kReasonBytesMax);
  return out;
}

}  // namespace

ChallengeMessage AuthorityCore::make_challenge(Member const& member) const {
  ChallengeMessage out;
  out.nonce = options_.random(kNonceBytes);
  out.pcr_mask = options_.pcr_mask;
  if (member.memory.valid) {
    out.ima_offset = member.memory.ima_offset;
    out.reset_count = member.memory.reset_count;
  }
  return out;
}

Answer<ChallengeMessage> AuthorityCore::challenge(ChallengeRequest const& request, WallTime now) {
  Member* const member = find(request.host);
  if (member == nullptr) {
    return refuse(Errc::not_found, "no machine is registered as " + request.host.value());
  }
  std::erase_if(member->joins, [&](auto const& pending) { return pending.until <= now; });
  if (member->joins.size() >= kPendingNoncesPerHostMax) {
    member->joins.erase(member->joins.begin());
  }
  // Who joins sends its whole log: what we remember may be of another life of the machine.
  ChallengeMessage challenge;
  challenge.nonce = options_.random(kNonceBytes);
  challenge.pcr_mask = options_.pcr_mask;
  member->joins.push_back({challenge, now + kNonceLife, {}});
  return challenge;
}

/// How long a proof stands that the machine attested now: what the policy's statement says, and no
/// longer than a certificate.
Duration AuthorityCore::proof_life(MembershipDecision const& decision) const {
  for (auto const& condition : document_->host_conditions) {
    if (condition.origin.statement == decision.statement && condition.attested_within) {
      return std::min(*condition.attested_within, options_.membership);
    }
  }
  return options_.membership;
}

/// Asks the policy about the machine and tells the trust logic. False with the reason if it does
/// not fit.
bool AuthorityCore::update_fits(Member const& member, WallTime now, std::string& why) {
  if (document_ == nullptr) {
    why = "the coalition has no policy yet";
    return false;
  }
  WallTime const attested = member.record.last_attested.value_or(WallTime{});
  HostFacts const facts{member.record.platform, member.record.location, now - attested};
  MembershipDecision const decision = admit_host(*document_, facts);
  if (!decision.allowed()) {
    why = decision.reason;
    return false;
  }
  StatementOrigin const origin = compiled_->origin(decision.statement);
  trust_.set_fits(member.record.host, {attested, attested + proof_life(decision)},
                  fmt::format("{}:{}", origin.file, origin.line));
  return true;
}

AuthorityCore::Verdict AuthorityCore::judge(Member& member, EvidenceMessage const& evidence,
                                            PendingChallenge const& pending,
                                            Bytes const& qualifying, WallTime now) {
  Verdict out;
  HostName const host = member.record.host;
  auto const ak = parse_tpm_public(member.record.ak_public);
  if (!ak) {
    out.findings.push_back(finding_of("key_not_restricted", "ak", ak.error().describe()));
    out.summary = out.findings.front().text;
    return out;
  }
  Challenge const challenge{qualifying,
                            {HashAlgorithm::sha256, pending.challenge.pcr_mask},
                            pending.challenge.ima_offset,
                            pending.challenge.reset_count};
  out.appraisal = appraise(to_evidence(evidence), challenge, *ak, reference_, options_.appraisal,
                           pending.memory, now);
  trust_.advance(now);
  if (is_authentic(out.appraisal)) {
    Validity const validity{now, now + options_.membership};
    trust_.set_state(host, out.appraisal.components, validity,
                     "quote " + sha256(evidence.attest).hex());
  } else {
    trust_.drop_state(host);
  }
  for (auto const& finding : out.appraisal.findings) {
    if (out.findings.size() == kFindingsKeptMax) break;
    out.findings.push_back(to_message(finding));
    auto& known = out.findings.back().known;
    if (known.size() > kKnownDigestsShownMax) known.resize(kKnownDigestsShownMax);
  }
  std::string why;
  if (out.accepted()) {
    std::optional<WallTime> const before = std::exchange(member.record.last_attested, now);
    if (!update_fits(member, now, why)) {
      out.findings.push_back(finding_of("policy.member_host", host.value(), why));
    }
    member.record.last_attested = before;
  }
  if (out.accepted() && !trust_.is_member(host)) {
    out.findings.push_back(
        finding_of("trust.member", host.value(), join_lines(trust_.missing_for_member(host))));
  }
  std::string const rule = out.accepted() ? "" : out.findings.front().rule;
  ++appraisals_[{out.accepted() ? "accepted" : "refused", rule}];
  if (out.accepted()) {
    member.memory = out.appraisal.memory;
    member.record.last_attested = now;
    member.attested = true;
    return out;
  }
  out.summary = out.findings.front().text;
  if (out.findings.size() > 1) {
    out.summary += fmt::format(" (and {} more)", out.findings.size() - 1);
  }
  // The logic sees components, not files: where it alone would accept, the verdict still counts.
  if (trust_.is_member(host)) trust_.drop_state(host);
  return out;
}

Result<std::vector<std::string>> AuthorityCore::issue_membership(Member& member,
                                                                 WallTime now) const {
  HostRecord const& record = member.record;
  auto const key = PublicKey::from_spki_der(record.tls_public);
  if (!key) return pass(key, "TLS key");
  CertificateTemplate what;
  what.common_name = record.host.value();
  what.dns_names = {record.host.value()};
  what.ip_addresses = {to_string(record.control.address)};
  what.uris = {fmt::format("shamon://{}/host/{}", options_.coalition.value(), record.host.value())};
  what.not_before = now + -kClockSkew;
  what.not_after = now + options_.membership;
  auto const certificate = issue_certificate(what, *key, keys_.ca, keys_.ca_key);
  if (!certificate) return pass(certificate, "membership certificate");
  member.certificate_until = what.not_after;
  return std::vector<std::string>{certificate->pem(), keys_.ca.pem()};
}

Refusal AuthorityCore::refuse_join(Member& member, Verdict const& verdict, WallTime now) {
  HostName const host = member.record.host;
  Refusal refusal{std::string(kAttestationFailed), verdict.summary, verdict.findings};
  HostState const state = member.record.host_state();
  if (state == HostState::active || state == HostState::suspect) {
    revoke(member, RevokedBy::attestation, verdict.summary, verdict.findings, now);
    return refusal;
  }
  if (state != HostState::revoked) member.record.set_state(HostState::refused);
  member.record.reason = verdict.summary;
  member.record.findings = verdict.findings;
  StoreBatch batch;
  batch.hosts.push_back(member.record);
  (void)commit(std::move(batch), now);
  note("refused", host.value(), verdict.summary, now, verdict.findings);
  return refusal;
}

Answer<JoinAccepted> AuthorityCore::join(JoinRequest const& request, WallTime now) {
  Member* const member = find(request.host);
  if (member == nullptr) {
    return refuse(Errc::not_found, "no machine is registered as " + request.host.value());
  }
  auto const pending = std::find_if(member->joins.begin(), member->joins.end(), [&](auto const& p) {
    return equal_constant_time(p.challenge.nonce, request.nonce);
  });
  if (pending == member->joins.end()) {
    return refuse(Errc::stale, "the nonce was not given out, or was used before");
  }
  PendingChallenge const challenge = std::move(*pending);
  member->joins.erase(pending);
  if (challenge.until <= now) return refuse(Errc::stale, "the nonce is too old");
  if (member->record.host_state() == HostState::revoked &&
      member->record.revoked_by == static_cast<std::uint64_t>(RevokedBy::operators)) {
    return refuse(Errc::denied, "an operator revoked this machine: " + member->record.reason);
  }
  if (document_ == nullptr) return refuse(Errc::unreachable, "the coalition has no policy yet");
  if (auto const key = PublicKey::from_spki_der(request.tls_public); !key) {
    return refuse(key.error(), "TLS key");
  }
  Verdict const verdict = judge(*member, request.evidence, challenge,
                                join_qualifying_data(request.nonce, request.tls_public), now);
  if (!verdict.accepted()) return tl::unexpected<Refusal>(refuse_join(*member, verdict, now));
  return accept(*member, request, verdict, now);
}

Answer<JoinAccepted> AuthorityCore::accept(Member& member, JoinRequest const& request,
                                           Verdict const& verdict, WallTime now) {
  HostRecord& record = member.record;
  record.set_state(HostState::active);
  record.revoked_by = 0;
  record.tls_public = request.tls_public;
  record.reason.clear();
  record.findings.clear();
  auto chain = issue_membership(member, now);
  if (!chain) return refuse(chain.error());
  auto proof = issue_ear(member, verdict.appraisal, now);
  if (!proof) return refuse(proof.error(), "proof of acceptance");
  StoreBatch batch;
  batch.changes.push_back(change(ChangeKind::member_joined, now));
  batch.changes.back().member = to_member_entry(record);
  batch.hosts.push_back(record);
  if (auto ok = commit(std::move(batch), now); !ok) return refuse(ok.error());
  member.challenges.clear();
  member.silent_since = {};
  member.next_challenge = now + options_.challenge_period;
  set_deadline(member);
  note("joined", record.host.value(),
       fmt::format("{} components approved", verdict.appraisal.components.size()), now);

  auto const ms = [](Duration d) { return static_cast<std::uint64_t>(d.count() / 1'000'000); };
  JoinAccepted out;
  out.host = record.host;
  out.coalition = options_.coalition;
  out.revision = revision_;
  out.policy_revision = policy_.revision;
  out.policy_name = policy_.name;
  out.policy_text = policy_.text;
  out.membership_chain = std::move(*chain);
  out.proof = std::move(*proof);
  out.heartbeat_ms = ms(options_.heartbeat);
  out.lease_ms = ms(options_.lease);
  out.challenge_period_ms = ms(options_.challenge_period);
  out.ciphers = to_names(options_.ciphers);
  for (auto const& [name, other] : members_) {
    HostState const state = other.record.host_state();
    if (state != HostState::active && state != HostState::suspect) continue;
    out.members.push_back(to_member_entry(other.record));
  }
  for (auto const& [name, vm] : vms_) out.vms.push_back(vm);
  out.reference_values = values_;
  out.status_key = keys_.status_key.public_key().spki_der();
  return out;
}

Answer<EvidenceAccepted> AuthorityCore::evidence(EvidenceRequest const& request, WallTime now) {
  Member* const member = find(request.host);
  if (member == nullptr) {
    return refuse(Errc::not_found, "no machine is registered as " + request.host.value());
  }
  auto const pending = std::find_if(
      member->challenges.begin(), member->challenges.end(),
      [&](auto const& p) { return equal_constant_time(p.challenge.nonce, request.nonce); });
  if (pending == member->challenges.end()) {
    return refuse(Errc::stale, "the nonce was not given out, or was used before");
  }
  PendingChallenge const challenge = std::move(*pending);
  member->challenges.erase(member->challenges.begin(), pending + 1);
  if (challenge.until <= now) return refuse(Errc::stale, "the nonce is too old");
  Verdict const verdict =
      judge(*member, request.evidence, challenge, challenge.challenge.nonce, now);
  if (!verdict.accepted()) {
    revoke(*member, RevokedBy::attestation, verdict.summary, verdict.findings, now);
    return tl::unexpected<Refusal>(
        Refusal{std::string(kAttestationFailed), verdict.summary, verdict.findings});
  }
  member->silent_since = {};
  member->next_challenge = now + options_.challenge_period;
  set_deadline(*member);
  if (member->record.host_state() == HostState::suspect) {
    member->record.set_state(HostState::active);
    member->record.reason.clear();
    StoreBatch batch;
    batch.changes.push_back(change(ChangeKind::member_joined, now));
    batch.changes.back().member = to_member_entry(member->record);
    batch.changes.back().text = "it answers again";
    batch.hosts.push_back(member->record);
    if (auto ok = commit(std::move(batch), now); !ok) return refuse(ok.error());
    note("attested", member->record.host.value(), "it answers again", now);
  }
  EvidenceAccepted out;
  out.revision = revision_;
  auto proof = issue_ear(*member, verdict.appraisal, now);
  if (!proof) return refuse(proof.error(), "proof of acceptance");
  out.proof = std::move(*proof);
  if (now + options_.membership / 2 >= member->certificate_until) {
    auto chain = issue_membership(*member, now);
    if (!chain) return refuse(chain.error());
    out.membership_chain = std::move(*chain);
  }
  return out;
}

}  // namespace shamon
