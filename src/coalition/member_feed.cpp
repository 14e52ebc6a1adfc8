// The member machine's second half: following the status feed, keeping the lease, being challenged.
#include <fmt/format.h>

#include "coalition/limits.hpp"
#include "coalition/member.hpp"

namespace shamon {

using namespace member;

void Member::open_feed() {
  feed_open_ = true;
  feed_ticket_ = next_ticket_++;
  order_.connected();
  auto const lease = std::chrono::milliseconds(acceptance_->lease_ms);
  feed_until_ = now_ + kFeedSilenceLeases * lease + kRequestTimeout;
  act(OpenFeed{feed_ticket_, order_.revision()});
}

void Member::close_feed() {
  if (feed_open_) act(CloseFeed{});
  feed_open_ = false;
  feed_ticket_ = 0;
  feed_until_.reset();
}

void Member::reopen_feed_later() {
  close_feed();
  feed_until_ = now_ + back_off(feed_failures_, kFeedRetryFirst, kFeedRetryMost);
  ++feed_failures_;
}

void Member::end_lease(char const* kind, std::string text) {
  if (lease_held_ || lease_until_ > now_) act(SetLease{now_});
  lease_held_ = false;
  lease_until_ = now_;
  record(kind, std::move(text));
}

void Member::check_feed_deadlines() {
  if (lease_held_ && now_ >= lease_until_) {
    lease_held_ = false;  // the gate stopped by itself at this very instant
    state_ = MemberState::suspect;
    reason_ = "the lease ended without a fresh heartbeat";
    record("lease_ended", reason_);
  }
  if (feed_until_ && now_ >= *feed_until_) {
    if (feed_open_) {
      record("feed_silent", "no heartbeat came; following again");
      reopen_feed_later();
    } else {
      open_feed();
    }
  }
  if (evidence_ticket_ != 0 && now_ >= evidence_until_) {
    evidence_ticket_ = 0;
    record("unreachable", "evidence could not be delivered in time");
  }
  if (acknowledge_at_ && now_ >= *acknowledge_at_) {
    acknowledge_at_.reset();
    acknowledge_ticket_ = 0;
    acknowledge();
  }
}

void Member::on_event(FeedEnded const& event) {
  if (!feed_open_ || event.ticket != feed_ticket_) return;
  bool const refused = event.why.code != "unreachable" && event.why.code != "timeout" &&
                       event.why.code != "truncated" && event.why.code != "system" &&
                       event.why.code != "internal";
  feed_open_ = false;  // it is closed already
  if (!refused) return reopen_feed_later();
  // The authority no longer takes our proof: everything from the challenge on again. What the lease
  // still allows goes on; a revocation would have come as one.
  close_feed();
  record("feed_refused", event.why.code + ": " + event.why.message);
  begin(Entry::challenge);
}

void Member::on_event(FeedEvent const& event) {
  if (!feed_open_ || event.ticket != feed_ticket_) return;
  auto const statement = read_feed_event(event.name, event.data, *status_key_);
  if (!statement) {
    if (statement.error().code == Errc::unsupported) return;  // of a newer authority
    record("feed_fault", statement.error().describe());
    if (++feed_faults_ < kFeedFaultsMax) return reopen_feed_later();
    // Perhaps the authority signs with another key now: only a new acceptance can say so.
    feed_faults_ = 0;
    close_feed();
    return begin(Entry::challenge);
  }
  feed_faults_ = 0;
  std::visit([this](auto const& s) { on_statement(s); }, *statement);
}

void Member::on_statement(StatusChange const& change) {
  switch (order_.judge(change)) {
    case ChangeVerdict::replayed:
      record("feed_replay", fmt::format("revision {} was applied before", change.revision.value()));
      return;
    case ChangeVerdict::gap:
      record("feed_gap", fmt::format("revision {} came after {}", change.revision.value(),
                                     order_.revision().value()));
      return reopen_feed_later();
    case ChangeVerdict::next: break;
  }
  act(Remember{change.revision});
  apply(change);
  if (following()) acknowledge();
}

void Member::apply(StatusChange const& change) {
  directory_.apply(change);
  switch (change.kind) {
    case ChangeKind::member_joined:
    case ChangeKind::member_revoked:
    case ChangeKind::member_left:
    case ChangeKind::member_suspect: return apply_member(change);
    case ChangeKind::policy_changed:
      policy_pending_ = change.policy_revision;
      act(ApplyPolicy{change.policy_name, change.policy_text, change.policy_revision});
      return;
    case ChangeKind::vm_changed:
      if (change.vm) act(VmChanged{*change.vm});
      return;
    case ChangeKind::vm_revoked:
      if (!change.vm) return;
      act(CutVm{change.vm->vm, change.text});
      act(VmChanged{*directory_.vm(change.vm->vm)});
      record("revoked", change.text, change.vm->vm.value(), change.findings);
      return;
    case ChangeKind::reference_values: act(ApplyReferenceValues{change.reference_values}); return;
  }
}

void Member::apply_member(StatusChange const& change) {
  if (!change.member) return;
  HostName const host = change.member->host;
  if (host == config_.host) return apply_self(change);
  MemberEntry const& entry = *directory_.member(host);
  if (change.kind != ChangeKind::member_joined) {
    act(CutPeer{host, change.text.empty() ? to_string(change.kind) : change.text});
    record(entry.state == "revoked" ? "revoked" : to_string(change.kind), change.text, host.value(),
           change.findings);
  }
  act(MemberChanged{entry});
}

void Member::apply_self(StatusChange const& change) {
  if (change.kind == ChangeKind::member_joined) {
    told_suspect_ = false;
    return;
  }
  reason_ = change.text;
  findings_ = change.findings;
  act(CutAll{change.text.empty() ? to_string(change.kind) : change.text});
  if (change.kind == ChangeKind::member_suspect) {
    told_suspect_ = true;
    state_ = MemberState::suspect;
    end_lease("suspect", change.text);
    return;
  }
  close_feed();
  end_lease(change.kind == ChangeKind::member_left ? "left" : "revoked", change.text);
  evidence_ticket_ = 0;
  acknowledge_at_.reset();
  if (change.kind == ChangeKind::member_left) {
    state_ = MemberState::left;
    step_ = Step::idle;
    return;
  }
  // An administrator may heal this host: it asks again, and acts again only once it is accepted.
  state_ = MemberState::revoked;
  retry_entry_ = Entry::challenge;
  expect(Step::waiting, back_off(0, kRefusedRetry, kRefusedRetry));
}

void Member::on_statement(Heartbeat const& heartbeat) {
  HeartbeatVerdict const verdict = order_.judge(heartbeat, wall_);
  if (verdict == HeartbeatVerdict::behind) {
    record("feed_gap", to_string(verdict));
    return reopen_feed_later();
  }
  if (verdict != HeartbeatVerdict::fresh) {
    record("heartbeat_refused", to_string(verdict));
    return;
  }
  feed_failures_ = 0;
  auto const lease = std::chrono::milliseconds(heartbeat.lease_ms);
  feed_until_ = now_ + kFeedSilenceLeases * lease + kRequestTimeout;
  // Current, but we may not act: a policy is not in force yet, or the authority doubts us.
  if (policy_pending_ || policy_refused_ || told_suspect_) return;
  lease_until_ = now_ + lease;
  act(SetLease{lease_until_});
  if (!lease_held_) {
    record(state_ == MemberState::suspect ? "lease_resumed" : "active",
           fmt::format("revision {} is current", order_.revision().value()));
  }
  lease_held_ = true;
  state_ = MemberState::active;
  reason_.clear();
}

void Member::on_statement(FeedChallenge const& challenge) {
  if (challenge.host != config_.host) return;
  ChallengeMessage const& ask = challenge.challenge;
  if (ask.nonce.size() < kNonceBytesMin || ask.nonce.size() > kNonceBytesMax) {
    record("feed_fault", "challenge with a nonce of a wrong size");
    return;
  }
  // The newest challenge counts; an older quote still under way would be stale when it came.
  evidence_ticket_ = next_ticket_++;
  evidence_nonce_ = ask.nonce;
  evidence_until_ = now_ + kTpmTimeout;
  act(MakeQuote{evidence_ticket_, ask, ask.nonce});
}

void Member::on_own_quote(QuoteReady const& event) {
  if (!event.evidence) {
    evidence_ticket_ = 0;
    record("tpm_failed", event.evidence.error().describe());
    return;
  }
  evidence_ticket_ = next_ticket_++;
  evidence_until_ = now_ + kRequestTimeout;
  EvidenceRequest request;
  request.host = config_.host;
  request.nonce = evidence_nonce_;
  request.evidence = *event.evidence;
  act(SendEvidence{evidence_ticket_, std::move(request)});
}

void Member::on_event(EvidenceAnswer const& event) {
  if (evidence_ticket_ == 0 || event.ticket != evidence_ticket_) return;
  evidence_ticket_ = 0;
  if (event.answer) {
    act(UseMembership{event.answer->membership_chain, event.answer->proof});
    return;
  }
  // The verdict itself comes through the feed, as a revocation; here it is only told.
  Refusal const& why = event.answer.error();
  record("evidence_refused", why.code + ": " + why.message, {}, why.findings);
}

void Member::acknowledge() {
  bool const busy = acknowledge_ticket_ != 0 || acknowledge_at_.has_value();
  Revision const revision = order_.revision();
  bool const in_force = !policy_pending_ && !policy_refused_;
  if (busy || !following() || !in_force || acknowledged_ == revision) return;
  acknowledging_ = revision;
  acknowledge_ticket_ = next_ticket_++;
  acknowledge_at_ = now_ + kRequestTimeout;
  act(SendAcknowledgement{acknowledge_ticket_, revision});
}

void Member::on_event(AcknowledgeAnswer const& event) {
  if (acknowledge_ticket_ == 0 || event.ticket != acknowledge_ticket_) return;
  acknowledge_ticket_ = 0;
  if (event.ok) {
    acknowledged_ = acknowledging_;
    acknowledge_failures_ = 0;
    acknowledge_at_.reset();
    return acknowledge();
  }
  acknowledge_at_ = now_ + back_off(acknowledge_failures_, kFeedRetryFirst, kFeedRetryMost);
  ++acknowledge_failures_;
}

}  // namespace shamon
