// The bridge machine's second half: an open association is challenged again and again, and rekeyed.
#include <algorithm>

#include <fmt/format.h>

#include "coalition/bridge.hpp"
#include "coalition/limits.hpp"

namespace shamon {

using namespace bridge;

namespace {

/// Both ends' SPIs of all rekeys of one connection. A new connection brings new secrets anyway.
constexpr std::size_t kSpisPerConnectionMax = 16384;

}  // namespace

void Bridge::check_watch_deadlines() {
  if (outstanding_ && now_ >= outstanding_->until) {
    if (!outstanding_->sent || outstanding_->answered) {
      return refuse(Reason::own_evidence_failed,
                    "our own side did not prepare or judge a challenge in time");
    }
    // Silence is no proof of anything, so it is not reported as a failure: but it denies.
    return refuse(Reason::challenge_timeout, "a challenge was not answered in time");
  }
  if (!outstanding_ && now_ >= challenge_at_) {
    outstanding_.emplace();
    outstanding_->until = now_ + config_.challenge_timeout;
    act(PrepareChallenge{});
  }
  if (rekey_until_ && now_ >= *rekey_until_) {
    if (rekey_tries_ >= kRekeyTriesMax) {
      return refuse(Reason::timeout, "no rekey came about");
    }
    start_rekey();
  }
}

void Bridge::on_event(ChallengePrepared& event) {
  if (!outstanding_ || outstanding_->sent) return;
  BridgeChallenge& challenge = outstanding_->challenge;
  challenge = std::move(event.challenge);
  if (challenge.vms.size() > kChallengedVmsMax) challenge.vms.resize(kChallengedVmsMax);
  challenge.sequence = ++own_sequence_;
  challenge.host.nonce = config_.random(kNonceBytes);
  for (auto& vm : challenge.vms) vm.challenge.nonce = config_.random(kNonceBytes);
  outstanding_->sent = true;
  outstanding_->until = now_ + config_.challenge_timeout;
  send(challenge);
}

void Bridge::on_frame(BridgeChallenge& challenge) {
  if (state_ != BridgeState::established || answer_ticket_ != 0 ||
      challenge.sequence <= peer_sequence_) {
    return refuse(Reason::out_of_order, "a challenge has no place now");
  }
  peer_sequence_ = challenge.sequence;
  if (challenge.vms.size() > kChallengedVmsMax) {
    return refuse(Reason::too_large, "too many VMs in one challenge");
  }
  AnswerNeeded needed;
  auto bind = [&](ChallengeMessage const& ask) {
    if (ask.nonce.size() != kNonceBytes) {
      refuse(Reason::nonce_bad, "a nonce has 32 bytes");
    } else if (!fresh_nonce(ask.nonce)) {
      refuse(Reason::nonce_stale, "the nonce was used before");
    } else if (auto data = qualifying_data(ask.nonce); data) {
      return std::move(*data);
    } else {
      refuse(Reason::exporter_failed, data.error().message);
    }
    return Bytes{};
  };
  needed.host_qualifying_data = bind(challenge.host);
  for (auto const& vm : challenge.vms) {
    if (state_ == BridgeState::closed) return;
    needed.vm_qualifying_data.push_back(bind(vm.challenge));
  }
  if (state_ == BridgeState::closed) return;
  answer_ticket_ = next_ticket_++;
  answer_sequence_ = challenge.sequence;
  needed.ticket = answer_ticket_;
  needed.challenge = std::move(challenge);
  act(std::move(needed));
}

void Bridge::on_event(AnswerReady& event) {
  if (answer_ticket_ == 0 || event.ticket != answer_ticket_) return;
  answer_ticket_ = 0;
  event.answer.sequence = answer_sequence_;
  send(std::move(event.answer));
}

void Bridge::on_frame(BridgeAnswer& answer) {
  bool const expected = state_ == BridgeState::established && outstanding_ && outstanding_->sent &&
                        !outstanding_->answered &&
                        answer.sequence == outstanding_->challenge.sequence;
  if (!expected) return refuse(Reason::out_of_order, "an answer has no place now");
  bridge::Outstanding& out = *outstanding_;
  out.answered = true;
  if (!answer.host) return refuse(Reason::challenge_failed, "no evidence of the host");
  if (answer.vms.size() != out.challenge.vms.size()) {
    return refuse(Reason::challenge_failed, "the answer leaves VMs out");
  }
  auto const data = qualifying_data(out.challenge.host.nonce);
  if (!data) return refuse(Reason::exporter_failed, data.error().message);
  out.host_ticket = next_ticket_++;
  out.verdicts.insert(out.host_ticket);
  act(Appraise{out.host_ticket, config_.peer, std::move(*answer.host), out.challenge.host, *data});
  for (std::size_t i = 0; i < answer.vms.size(); ++i) {
    auto const& asked = out.challenge.vms[i];
    auto& given = answer.vms[i];
    if (given.vm != asked.vm) {
      return refuse(Reason::challenge_failed, "the answer is about another VM");
    }
    auto vm_data = qualifying_data(asked.challenge.nonce);
    if (!vm_data) return refuse(Reason::exporter_failed, vm_data.error().message);
    Ticket const ticket = next_ticket_++;
    out.verdicts.insert(ticket);
    out.vm_of[ticket] = asked.vm;
    act(AppraiseVm{ticket, asked.vm, std::move(given.evidence), given.error, asked.challenge,
                   std::move(*vm_data)});
  }
}

void Bridge::on_challenge_verdict(AppraisalVerdict const& verdict) {
  if (!outstanding_ || outstanding_->verdicts.erase(verdict.ticket) == 0) return;
  if (!verdict.accepted) {
    FailureReport report;
    report.reporter = config_.self;
    std::string who = config_.peer.value();
    if (auto const vm = outstanding_->vm_of.find(verdict.ticket); vm != outstanding_->vm_of.end()) {
      report.about_vm = vm->second;
      who = vm->second.value();
    } else {
      report.about_host = config_.peer;
    }
    report.findings = verdict.findings;
    act(Report{std::move(report)});
    std::string const text =
        verdict.findings.empty() ? "its evidence does not hold" : verdict.findings.front().text;
    return refuse(Reason::challenge_failed, who + ": " + text, verdict.findings);
  }
  if (!outstanding_->verdicts.empty()) return;
  outstanding_.reset();
  challenge_at_ = now_ + config_.challenge_period;
}

void Bridge::on_event(PolicyRevisionIs& event) {
  if (event.revision == config_.policy_revision) return;
  config_.policy_revision = event.revision;
  if (state_ != BridgeState::established) {
    // Half a negotiation under another revision would end in keys that differ: begin again.
    if (hello_taken_ || spi_in_ != 0) {
      refuse(Reason::policy_revision, "our policy changed meanwhile");
    }
    return;
  }
  if (rekey_spi_ == 0) start_rekey();
}

void Bridge::on_event(RekeyWanted&) {
  if (state_ == BridgeState::established && rekey_spi_ == 0) start_rekey();
}

void Bridge::start_rekey() {
  rekey_spi_ = config_.new_spi();
  rekey_until_ = now_ + kBridgeFrameTimeout;
  ++rekey_tries_;
  BridgeHello hello;
  hello.host = config_.self;
  hello.label = config_.label;
  hello.policy_revision = config_.policy_revision;
  hello.spi_in = rekey_spi_;
  hello.nonce = config_.random(kNonceBytes);
  fresh_nonce(hello.nonce);
  hello.want = config_.want;
  say_terms(hello);
  send(Rekey{std::move(hello)});
}

void Bridge::on_frame(Rekey& rekey) {
  if (state_ != BridgeState::established) {
    return refuse(Reason::out_of_order, "a rekey has no place now");
  }
  // Both asked at once: the initiator's goes on, the responder's is dropped by both.
  if (rekey_spi_ != 0 && config_.role == BridgeRole::initiator) return;
  rekey_spi_ = 0;
  rekey_until_.reset();
  rekey_tries_ = 0;
  BridgeHello const& hello = rekey.hello;
  if (hello.policy_revision != config_.policy_revision) {
    // One of us loads a new policy a moment before the other: the peer tries again.
    BridgeRefused later;
    later.code = bridge::to_string(Reason::policy_revision);
    later.message = fmt::format("we enforce revision {}", config_.policy_revision.value());
    return send(std::move(later));
  }
  if (used_spis_.size() >= kSpisPerConnectionMax) {
    return refuse(Reason::too_large, "too many rekeys on one connection");
  }
  if (used_spis_.count(hello.spi_in) != 0) return refuse(Reason::spi_bad, "the SPI is in use");
  if (!take_hello(hello)) return;
  used_spis_.insert(hello.spi_in);
  send(HelloReply{own_hello()});
  open_association(true);
}

void Bridge::on_rekey_reply(BridgeHello const& hello) {
  if (rekey_spi_ == 0) return refuse(Reason::out_of_order, "a hello reply has no place now");
  if (hello.policy_revision != config_.policy_revision) {
    rekey_spi_ = 0;  // our policy changed while the peer answered
    return start_rekey();
  }
  if (used_spis_.count(hello.spi_in) != 0) return refuse(Reason::spi_bad, "the SPI is in use");
  if (!take_hello(hello)) return;
  used_spis_.insert(hello.spi_in);
  spi_in_ = rekey_spi_;
  used_spis_.insert(spi_in_);
  rekey_spi_ = 0;
  rekey_until_.reset();
  rekey_tries_ = 0;
  open_association(true);
}

void Bridge::on_rekey_refused(BridgeRefused const& refused) {
  if (rekey_spi_ == 0 || refused.code != bridge::to_string(Reason::policy_revision)) {
    return close(Reason::peer_refused, refused.code);
  }
  rekey_spi_ = 0;
  rekey_until_ = now_ + kRekeyRetry;
}

}  // namespace shamon
