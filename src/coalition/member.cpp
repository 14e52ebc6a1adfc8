#include "coalition/member.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "coalition/limits.hpp"

namespace shamon {

using namespace member;

namespace member {

Refusal to_refusal(Error const& error) {
  Refusal out;
  out.code = to_string(error.code);
  out.message = error.message;
  return out;
}

}  // namespace member

char const* to_string(MemberState state) noexcept {
  switch (state) {
    case MemberState::unknown: return "unknown";
    case MemberState::registered: return "registered";
    case MemberState::challenged: return "challenged";
    case MemberState::refused: return "refused";
    case MemberState::accepted: return "accepted";
    case MemberState::active: return "active";
    case MemberState::suspect: return "suspect";
    case MemberState::revoked: return "revoked";
    case MemberState::left: return "left";
  }
  return "unknown";
}

namespace {

Refusal refusal(char const* code, std::string message) {
  Refusal out;
  out.code = code;
  out.message = std::move(message);
  return out;
}

/// Nobody judged us: the way to the authority, or the authority itself, is what failed.
bool is_outage(Refusal const& why) {
  return why.code == "unreachable" || why.code == "timeout" || why.code == "system" ||
         why.code == "internal";
}

}  // namespace

Member::Member(MemberConfig config)
    : config_(std::move(config)), order_(config_.last_revision), random_state_(config_.seed) {}

Actions Member::on(Event const& event, Instant now, WallTime wall) {
  now_ = now;
  wall_ = wall;
  actions_.clear();
  std::visit([this](auto const& e) { on_event(e); }, event);
  return std::move(actions_);
}

std::optional<Instant> Member::next_deadline() const noexcept {
  std::optional<Instant> next;
  auto consider = [&next](Instant at) {
    if (!next || at < *next) next = at;
  };
  if (step_ != Step::idle && step_ != Step::done) consider(step_until_);
  if (feed_until_) consider(*feed_until_);
  if (lease_held_) consider(lease_until_);
  if (evidence_ticket_ != 0) consider(evidence_until_);
  if (acknowledge_at_) consider(*acknowledge_at_);
  return next;
}

void Member::record(char const* kind, std::string text, std::string object,
                    std::vector<FindingMessage> findings) {
  EventRow row;
  row.time = wall_;
  row.monotonic_ns = now_.ns;
  row.source = config_.host.value();
  row.kind = kind;
  row.subject = config_.host.value();
  row.object = std::move(object);
  row.text = std::move(text);
  row.revision = order_.revision();
  row.findings = std::move(findings);
  act(Record{std::move(row)});
}

Duration Member::back_off(unsigned attempt, Duration first, Duration most) {
  Duration wait = first;
  for (unsigned i = 0; i < attempt && wait < most; ++i) wait *= 2;
  if (wait > most) wait = most;
  // splitmix64: enough to keep a thousand members from coming back in the same instant.
  std::uint64_t z = random_state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  z ^= z >> 31;
  std::int64_t const half = wait.count() / 2;
  return Duration(half + static_cast<std::int64_t>(z % static_cast<std::uint64_t>(half + 1)));
}

Ticket Member::expect(Step step, Duration timeout) {
  step_ = step;
  step_ticket_ = next_ticket_++;
  step_until_ = now_ + timeout;
  return step_ticket_;
}

bool Member::answers(Step step, Ticket ticket) const noexcept {
  return step_ == step && step_ticket_ == ticket;
}

void Member::on_event(Start const&) {
  if (step_ == Step::idle && state_ == MemberState::unknown) begin(Entry::registration);
}

void Member::on_event(Restart const&) {
  if (following() && state_ != MemberState::revoked) return;  // nothing to begin again
  if (state_ == MemberState::left) state_ = MemberState::unknown;
  failures_ = 0;
  begin(Entry::registration);
}

void Member::on_event(Leave const&) {
  close_feed();
  end_lease("left", "an operator asked to leave the coalition");
  act(CutAll{"left"});
  step_ = Step::idle;
  evidence_ticket_ = 0;
  acknowledge_at_.reset();
  state_ = MemberState::left;
}

void Member::on_event(Timer const&) {
  if (step_ != Step::idle && step_ != Step::done && now_ >= step_until_) {
    if (step_ == Step::waiting) {
      begin(retry_entry_);
    } else if (step_ == Step::applying) {
      on_event(PolicyApplied{*policy_pending_,
                             fail(Errc::timeout, "the policy was not put in force in time")});
    } else {
      Entry const entry = state_ == MemberState::unknown ? Entry::registration : Entry::challenge;
      retry_later(entry, refusal("timeout", "no answer in time"));
    }
  }
  check_feed_deadlines();
}

void Member::begin(Entry entry) {
  if (entry == Entry::registration) {
    act(SendRegister{expect(Step::registering, kRequestTimeout)});
  } else {
    act(RequestChallenge{expect(Step::challenging, kRequestTimeout)});
  }
}

void Member::retry_later(Entry entry, Refusal const& why) {
  retry_entry_ = entry;
  bool const outage = is_outage(why);
  Duration const wait = outage ? back_off(failures_, kJoinRetryFirst, kJoinRetryMost)
                               : back_off(0, kRefusedRetry, kRefusedRetry);
  // An outage is recorded when it begins; every refusal is.
  if (!outage || failures_ == 0) {
    record(outage ? "unreachable" : "refused", why.code + ": " + why.message, {}, why.findings);
  }
  ++failures_;
  reason_ = why.message;
  expect(Step::waiting, wait);
}

void Member::enter_refused(Refusal const& why) {
  // A revoked host stays revoked, and an outage is nobody's verdict.
  if (state_ != MemberState::revoked && !is_outage(why)) state_ = MemberState::refused;
  if (!is_outage(why)) {
    findings_ = why.findings;
    if (lease_held_) {
      act(CutAll{why.message});
      end_lease("lease_ended", why.message);
    }
  }
  retry_later(Entry::challenge, why);
}

void Member::on_event(RegisterAnswer const& event) {
  if (!answers(Step::registering, event.ticket)) return;
  if (!event.answer) return retry_later(Entry::registration, event.answer.error());
  RegisterChallenge const& challenge = *event.answer;
  registration_id_ = challenge.id;
  act(ActivateCredential{expect(Step::activating_tpm, kTpmTimeout), challenge.id_object,
                         challenge.encrypted_secret});
}

void Member::on_event(SecretReady const& event) {
  if (!answers(Step::activating_tpm, event.ticket)) return;
  if (!event.secret) {
    return retry_later(Entry::registration, to_refusal(event.secret.error()));
  }
  ActivateRequest request;
  request.host = config_.host;
  request.id = registration_id_;
  request.secret = *event.secret;
  act(SendActivate{expect(Step::activating, kRequestTimeout), std::move(request)});
}

void Member::on_event(ActivateAnswer const& event) {
  if (!answers(Step::activating, event.ticket)) return;
  if (!event.answer) return retry_later(Entry::registration, event.answer.error());
  if (event.answer->host != config_.host) {
    return retry_later(Entry::registration,
                       refusal("malformed", "the authority registered another name"));
  }
  failures_ = 0;
  if (state_ != MemberState::revoked) state_ = MemberState::registered;
  record("registered", "EK " + event.answer->ek_fingerprint);
  begin(Entry::challenge);
}

void Member::on_event(ChallengeAnswer const& event) {
  if (!answers(Step::challenging, event.ticket)) return;
  if (!event.answer) {
    // An authority that lost its memory has to get to know us again.
    bool const forgotten = event.answer.error().code == "not_found";
    return retry_later(forgotten ? Entry::registration : Entry::challenge, event.answer.error());
  }
  ChallengeMessage const& challenge = *event.answer;
  if (challenge.nonce.size() < kNonceBytesMin || challenge.nonce.size() > kNonceBytesMax) {
    return retry_later(Entry::challenge, refusal("malformed", "nonce of a wrong size"));
  }
  if (state_ != MemberState::revoked) state_ = MemberState::challenged;
  join_nonce_ = challenge.nonce;
  act(MakeQuote{expect(Step::quoting, kTpmTimeout), challenge,
                join_qualifying_data(challenge.nonce, config_.tls_public)});
}

void Member::on_event(QuoteReady const& event) {
  if (evidence_ticket_ != 0 && event.ticket == evidence_ticket_) return on_own_quote(event);
  if (!answers(Step::quoting, event.ticket)) return;
  if (!event.evidence) return retry_later(Entry::challenge, to_refusal(event.evidence.error()));
  JoinRequest request;
  request.host = config_.host;
  request.nonce = join_nonce_;
  request.tls_public = config_.tls_public;
  request.evidence = *event.evidence;
  act(SendJoin{expect(Step::joining, kRequestTimeout), std::move(request)});
}

/// Why an acceptance cannot be one, if so.
std::optional<Refusal> Member::judge_acceptance(JoinAccepted const& accepted) {
  if (accepted.host != config_.host) {
    return refusal("malformed", "the acceptance is for another host");
  }
  if (accepted.revision < order_.revision()) {
    return refusal("stale", fmt::format("the authority is at revision {}, we were at {}",
                                        accepted.revision.value(), order_.revision().value()));
  }
  if (accepted.lease_ms < kLeaseMin_ms || accepted.lease_ms > kLeaseMax_ms ||
      accepted.heartbeat_ms == 0 || accepted.heartbeat_ms > accepted.lease_ms) {
    return refusal("malformed", "heartbeat or lease out of bounds");
  }
  auto key = PublicKey::from_spki_der(accepted.status_key);
  if (!key) return refusal("malformed", "status key: " + key.error().message);
  status_key_ = std::move(*key);
  return std::nullopt;
}

void Member::on_event(JoinAnswer const& event) {
  if (!answers(Step::joining, event.ticket)) return;
  if (!event.answer) return enter_refused(event.answer.error());
  if (auto const wrong = judge_acceptance(*event.answer)) return enter_refused(*wrong);
  accept(*event.answer);
}

void Member::accept(JoinAccepted const& accepted) {
  acceptance_ = accepted;
  failures_ = 0;
  told_suspect_ = false;
  acknowledged_ = Revision(0);
  feed_faults_ = 0;
  reason_.clear();
  findings_.clear();
  state_ = MemberState::accepted;
  order_.jump(accepted.revision);
  act(Remember{accepted.revision});
  Directory::Lost const lost = directory_.replace(accepted.members, accepted.vms);
  for (HostName const& host : lost.members) act(CutPeer{host, "no longer a member"});
  for (VmName const& vm : lost.vms) act(CutVm{vm, "no longer running"});
  act(UseMembership{accepted.membership_chain, accepted.proof});
  act(ApplyReferenceValues{accepted.reference_values});
  policy_pending_ = accepted.policy_revision;
  expect(Step::applying, kPolicyTimeout);
  act(ApplyPolicy{accepted.policy_name, accepted.policy_text, accepted.policy_revision});
  record("joined", fmt::format("accepted at revision {}", accepted.revision.value()));
}

void Member::on_event(PolicyApplied const& event) {
  if (!policy_pending_ || event.revision != *policy_pending_) return;
  policy_pending_.reset();
  policy_refused_ = !event.status;
  if (policy_refused_) {
    // What we cannot enforce we must not act under: no lease until another policy comes.
    std::string const text = "policy not in force: " + event.status.error().message;
    record("policy_refused", text);
    act(CutAll{text});
    if (step_ == Step::applying) return enter_refused(refusal("invalid", text));
    end_lease("lease_ended", text);
    state_ = MemberState::suspect;
    reason_ = text;
    return;
  }
  policy_revision_ = event.revision;
  if (step_ == Step::applying) {
    step_ = Step::done;
    open_feed();
  }
  acknowledge();
}

}  // namespace shamon
