#include "coalition/bridge.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/cursor.hpp"
#include "coalition/limits.hpp"

namespace shamon {

using namespace bridge;

namespace bridge {

char const* to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::peer_name: return "peer_name";
    case Reason::label_unknown: return "label_unknown";
    case Reason::label_mismatch: return "label_mismatch";
    case Reason::policy_revision: return "policy_revision";
    case Reason::want_unknown: return "want_unknown";
    case Reason::nonce_bad: return "nonce_bad";
    case Reason::nonce_stale: return "nonce_stale";
    case Reason::spi_bad: return "spi_bad";
    case Reason::no_common_cipher: return "no_common_cipher";
    case Reason::malformed: return "malformed";
    case Reason::too_large: return "too_large";
    case Reason::out_of_order: return "out_of_order";
    case Reason::timeout: return "timeout";
    case Reason::proof_refused: return "proof_refused";
    case Reason::evidence_missing: return "evidence_missing";
    case Reason::evidence_refused: return "evidence_refused";
    case Reason::own_evidence_failed: return "own_evidence_failed";
    case Reason::exporter_failed: return "exporter_failed";
    case Reason::association_denied: return "association_denied";
    case Reason::challenge_failed: return "challenge_failed";
    case Reason::challenge_timeout: return "challenge_timeout";
    case Reason::peer_refused: return "peer_refused";
    case Reason::connection_lost: return "connection_lost";
    case Reason::asked: return "asked";
  }
  return "unknown";
}

}  // namespace bridge

char const* to_string(BridgeState state) noexcept {
  switch (state) {
    case BridgeState::fresh: return "fresh";
    case BridgeState::greeting: return "greeting";
    case BridgeState::proving: return "proving";
    case BridgeState::established: return "established";
    case BridgeState::closed: return "closed";
  }
  return "unknown";
}

namespace {

constexpr std::size_t kExporterBytes = 32;
/// Of one connection: those of two challenges about as many VMs as may be.
constexpr std::size_t kNoncesRememberedMax = 2 * (1 + kChallengedVmsMax);
constexpr std::size_t kRefusalBytesMax = 1024;  ///< of a text sent to or shown from the peer

std::string shortened(std::string text) {
  if (text.size() > kRefusalBytesMax) text.resize(kRefusalBytesMax);
  return text;
}

bool is_known_want(std::string const& want) {
  return want == "authority" || want == "direct" || want == "both";
}

}  // namespace

Bridge::Bridge(BridgeConfig config, Instant now)
    : config_(std::move(config)), frame_until_(now + kBridgeFrameTimeout) {}

Actions Bridge::on(Event event, Instant now, WallTime wall) {
  now_ = now;
  wall_ = wall;
  actions_.clear();
  if (state_ != BridgeState::closed) {
    std::visit([this](auto& e) { on_event(e); }, event);
  }
  return std::move(actions_);
}

std::optional<Instant> Bridge::next_deadline() const noexcept {
  if (state_ == BridgeState::closed) return std::nullopt;
  if (state_ != BridgeState::established) return frame_until_;
  Instant next = outstanding_ ? outstanding_->until : challenge_at_;
  if (rekey_until_ && *rekey_until_ < next) next = *rekey_until_;
  return next;
}

void Bridge::send(Frame const& frame) {
  act(SendFrame{write_frame(frame)});
}

void Bridge::record(char const* kind, std::string text, std::vector<FindingMessage> findings) {
  EventRow row;
  row.time = wall_;
  row.monotonic_ns = now_.ns;
  row.source = config_.self.value();
  row.kind = kind;
  row.subject = config_.peer.value();
  row.object = config_.label.value();
  row.text = std::move(text);
  row.revision = config_.policy_revision;
  row.findings = std::move(findings);
  act(Record{std::move(row)});
}

/// Ends it for a reason of ours: the peer is told the code, our own people everything.
void Bridge::refuse(Reason reason, std::string text, std::vector<FindingMessage> findings) {
  BridgeRefused notice;
  notice.code = bridge::to_string(reason);
  notice.message = shortened(text);
  if (state_ == BridgeState::established) {
    send(CloseNotice{std::move(notice)});
  } else {
    send(std::move(notice));
  }
  close(reason, std::move(text), std::move(findings));
}

void Bridge::close(Reason reason, std::string text, std::vector<FindingMessage> findings) {
  bool const was_open = state_ == BridgeState::established;
  state_ = BridgeState::closed;
  reason_ = reason;
  reason_text_ = text;
  std::string const line = std::string(bridge::to_string(reason)) + ": " + text;
  if (was_open) {
    // The close stands before anything that takes time: traffic must stop now.
    actions_.insert(actions_.begin(),
                    Action(CloseAssociation{config_.peer, config_.label, reason, text}));
    bool const challenge =
        reason == Reason::challenge_failed || reason == Reason::challenge_timeout;
    record(challenge ? "challenge_failed" : "association_closed", line, std::move(findings));
  } else {
    record("bridge_refused", line, std::move(findings));
  }
  act(CloseConnection{reason, std::move(text)});
}

Result<Bytes> Bridge::qualifying_data(ByteView nonce) const {
  auto const exported = config_.exporter(kBridgeExporterLabel, {}, kExporterBytes);
  if (!exported) return pass(exported);
  return bridge_qualifying_data(nonce, *exported, config_.label, bound_revision_);
}

bool Bridge::fresh_nonce(ByteView nonce) {
  // Eight bytes of each are enough to tell: only a peer that wants to be refused makes two alike.
  std::uint64_t const mark = Cursor(nonce).u64be();
  if (std::find(seen_nonces_.begin(), seen_nonces_.end(), mark) != seen_nonces_.end()) return false;
  if (seen_nonces_.size() == kNoncesRememberedMax) seen_nonces_.erase(seen_nonces_.begin());
  seen_nonces_.push_back(mark);
  return true;
}

void Bridge::say_terms(BridgeHello& hello) const {
  hello.ciphers = to_names(config_.ciphers);
  hello.lanes = config_.lanes;
  hello.extended_sequence = config_.extended_sequence;
}

BridgeHello Bridge::own_hello() {
  spi_in_ = config_.new_spi();
  used_spis_.insert(spi_in_);
  own_nonce_ = config_.random(kNonceBytes);
  fresh_nonce(own_nonce_);
  BridgeHello hello;
  hello.host = config_.self;
  hello.label = config_.label;
  hello.policy_revision = config_.policy_revision;
  hello.spi_in = spi_in_;
  hello.nonce = own_nonce_;
  hello.want = config_.want;
  say_terms(hello);
  return hello;
}

void Bridge::on_event(HandshakeDone& event) {
  if (state_ != BridgeState::fresh) return;
  state_ = BridgeState::greeting;
  frame_until_ = now_ + kBridgeFrameTimeout;
  bool const initiator = config_.role == BridgeRole::initiator;
  if (initiator && event.peer != config_.peer) {
    return refuse(Reason::peer_name, fmt::format("wanted {}, the certificate is {}'s",
                                                 config_.peer.value(), event.peer.value()));
  }
  config_.peer = event.peer;
  if (initiator) send(own_hello());
}

void Bridge::on_event(FrameReceived& event) {
  if (state_ == BridgeState::fresh) {
    return close(Reason::out_of_order, "a frame before the handshake");
  }
  auto frame = parse_frame(event.frame);
  if (!frame) {
    Reason const reason =
        frame.error().code == Errc::too_large ? Reason::too_large : Reason::malformed;
    return refuse(reason, frame.error().describe());
  }
  std::visit([this](auto& f) { on_frame(f); }, *frame);
}

void Bridge::on_event(ConnectionLost& event) {
  // Who answered a challenge and then went away does not escape the verdict on the answer.
  bool const unjudged = outstanding_ && outstanding_->answered;
  if (state_ == BridgeState::established && !unjudged) return leave(event.text);
  close(Reason::connection_lost, event.text);
}

void Bridge::leave(std::string text) {
  state_ = BridgeState::closed;
  reason_ = Reason::connection_lost;
  reason_text_ = text;
  Instant const until =
      outstanding_ ? outstanding_->until : challenge_at_ + config_.challenge_timeout;
  record("association_unwatched",
         fmt::format("{}: kept for {} ms at most, unless negotiated anew", text,
                     std::chrono::duration_cast<std::chrono::milliseconds>(until - now_).count()));
  act(LeaveAssociation{config_.peer, config_.label, until, text});
  act(CloseConnection{Reason::connection_lost, std::move(text)});
}
void Bridge::on_event(CloseWanted& event) {
  refuse(Reason::asked, event.text);
}
void Bridge::on_event(AssociationRefused& event) {
  refuse(Reason::association_denied, event.text);
}

void Bridge::on_event(bridge::Timer&) {
  if (state_ == BridgeState::established) return check_watch_deadlines();
  if (now_ >= frame_until_) refuse(Reason::timeout, "the peer is silent");
}

void Bridge::on_frame(BridgeRefused& refused) {
  if (state_ == BridgeState::established) return on_rekey_refused(refused);
  close(Reason::peer_refused, shortened(refused.code + ": " + refused.message));
}

void Bridge::on_frame(CloseNotice& notice) {
  close(Reason::peer_refused, shortened(notice.why.code + ": " + notice.why.message));
}

/// What the initiator wants most of all that both may use; the same at both ends.
std::optional<AeadAlgorithm> Bridge::choose_cipher(BridgeHello const& hello) const {
  std::vector<AeadAlgorithm> const theirs = known_aead_algorithms(hello.ciphers);
  return config_.role == BridgeRole::initiator ? choose_aead_algorithm(config_.ciphers, theirs)
                                               : choose_aead_algorithm(theirs, config_.ciphers);
}

/// Judges the peer's half of the negotiation; false: refused.
bool Bridge::take_hello(BridgeHello const& hello) {
  auto no = [this](Reason reason, std::string text) {
    refuse(reason, std::move(text));
    return false;
  };
  if (hello.host != config_.peer) {
    return no(Reason::peer_name, fmt::format("the hello says {}, the certificate {}",
                                             hello.host.value(), config_.peer.value()));
  }
  if (hello.label != config_.label) return no(Reason::label_mismatch, hello.label.value());
  if (hello.policy_revision != config_.policy_revision) {
    return no(Reason::policy_revision,
              fmt::format("the peer enforces revision {}, we {}", hello.policy_revision.value(),
                          config_.policy_revision.value()));
  }
  if (!is_known_want(hello.want)) return no(Reason::want_unknown, "the peer's demand is unknown");
  if (hello.nonce.size() != kNonceBytes) return no(Reason::nonce_bad, "a nonce has 32 bytes");
  if (!fresh_nonce(hello.nonce)) return no(Reason::nonce_stale, "the nonce was used before");
  if (hello.spi_in < kOfferedSpiMin) return no(Reason::spi_bad, "reserved SPI");
  if (hello.lanes < 1 || hello.lanes > kEspLanesMax) {
    return no(Reason::spi_bad, fmt::format("{} lanes", hello.lanes));
  }
  lanes_ = std::max(hello.lanes, config_.lanes);
  if (lanes_ > 1 && hello.spi_in % kEspLanesMax != 0) {
    return no(Reason::spi_bad, "the SPIs of several lanes begin at a multiple of 16");
  }
  extended_sequence_ = hello.extended_sequence && config_.extended_sequence;
  auto const cipher = choose_cipher(hello);
  if (!cipher) {
    return no(Reason::no_common_cipher,
              fmt::format("the peer would use [{}], we [{}]", fmt::join(hello.ciphers, " "),
                          fmt::join(to_names(config_.ciphers), " ")));
  }
  cipher_ = *cipher;
  spi_out_ = hello.spi_in;
  peer_nonce_ = hello.nonce;
  peer_want_ = hello.want;
  if (!hello_taken_) bound_revision_ = hello.policy_revision;
  hello_taken_ = true;
  frame_until_ = now_ + kBridgeFrameTimeout;
  return true;
}

void Bridge::on_frame(BridgeHello& hello) {
  if (state_ != BridgeState::greeting || config_.role != BridgeRole::responder) {
    return refuse(Reason::out_of_order, "a hello has no place now");
  }
  if (hello.label.value().empty() || !config_.may_associate(config_.peer, hello.label)) {
    return refuse(Reason::label_unknown,
                  fmt::format("no association of label '{}' here", hello.label.value()));
  }
  config_.label = hello.label;
  if (!take_hello(hello)) return;
  state_ = BridgeState::proving;
  send(HelloReply{own_hello()});
  prove();
}

void Bridge::on_frame(HelloReply& reply) {
  if (state_ == BridgeState::established) return on_rekey_reply(reply.hello);
  if (state_ != BridgeState::greeting || config_.role != BridgeRole::initiator) {
    return refuse(Reason::out_of_order, "a hello reply has no place now");
  }
  if (!take_hello(reply.hello)) return;
  state_ = BridgeState::proving;
  prove();
}

/// Shows the peer what it wants of us.
void Bridge::prove() {
  if (!demands_direct(peer_want_)) return send_evidence(std::nullopt);
  auto data = qualifying_data(peer_nonce_);
  if (!data) return refuse(Reason::exporter_failed, data.error().message);
  quote_ticket_ = next_ticket_++;
  ChallengeMessage challenge;
  challenge.nonce = peer_nonce_;
  challenge.pcr_mask = config_.pcr_mask;
  act(MakeQuote{quote_ticket_, std::move(challenge), std::move(*data)});
}

void Bridge::on_event(QuoteReady& event) {
  if (quote_ticket_ == 0 || event.ticket != quote_ticket_) return;
  quote_ticket_ = 0;
  if (!event.evidence) {
    return refuse(Reason::own_evidence_failed, event.evidence.error().message);
  }
  send_evidence(std::move(*event.evidence));
}

void Bridge::send_evidence(std::optional<EvidenceMessage> evidence) {
  BridgeEvidence out;
  out.proof = config_.proof;
  out.evidence = std::move(evidence);
  evidence_sent_ = true;
  send(std::move(out));
  consider_established();
}

void Bridge::on_frame(BridgeEvidence& evidence) {
  if (state_ != BridgeState::proving || evidence_taken_) {
    return refuse(Reason::out_of_order, "evidence has no place now");
  }
  evidence_taken_ = true;
  frame_until_ = now_ + kBridgeFrameTimeout;
  peer_proof_ = std::move(evidence.proof);
  if (config_.want != "direct") {
    if (peer_proof_.empty() || peer_proof_.size() > kProofBytesMax) {
      return refuse(Reason::proof_refused, "no proof of acceptance");
    }
    proof_ticket_ = next_ticket_++;
    act(VerifyProof{proof_ticket_, config_.peer, peer_proof_});
  }
  if (!demands_direct(config_.want)) return;
  if (!evidence.evidence) {
    return refuse(Reason::evidence_missing, "direct evidence is wanted here");
  }
  auto data = qualifying_data(own_nonce_);
  if (!data) return refuse(Reason::exporter_failed, data.error().message);
  appraisal_ticket_ = next_ticket_++;
  ChallengeMessage challenge;
  challenge.nonce = own_nonce_;
  challenge.pcr_mask = config_.pcr_mask;
  act(Appraise{appraisal_ticket_, config_.peer, std::move(*evidence.evidence), std::move(challenge),
               std::move(*data)});
}

void Bridge::on_event(ProofVerdict& event) {
  if (proof_ticket_ == 0 || event.ticket != proof_ticket_) return;
  proof_ticket_ = 0;
  if (!event.status) return refuse(Reason::proof_refused, event.status.error().message);
  consider_established();
}

void Bridge::on_event(AppraisalVerdict& event) {
  if (state_ == BridgeState::established) return on_challenge_verdict(event);
  if (appraisal_ticket_ == 0 || event.ticket != appraisal_ticket_) return;
  appraisal_ticket_ = 0;
  if (!event.accepted) {
    std::string text =
        event.findings.empty() ? "the peer's evidence does not hold" : event.findings[0].text;
    FailureReport report;
    report.reporter = config_.self;
    report.about_host = config_.peer;
    report.findings = event.findings;
    act(Report{std::move(report)});
    return refuse(Reason::evidence_refused, std::move(text), std::move(event.findings));
  }
  consider_established();
}

/// Says so once everything we wanted of the peer holds and it has everything it wanted of us, and
/// opens the association once the peer says the same.
void Bridge::consider_established() {
  if (state_ != BridgeState::proving) return;
  bool const peer_holds = evidence_taken_ && proof_ticket_ == 0 && appraisal_ticket_ == 0;
  if (!peer_holds || !evidence_sent_) return;
  if (!established_sent_) {
    established_sent_ = true;
    send(Established{});
  }
  if (!established_taken_) return;
  state_ = BridgeState::established;
  challenge_at_ = now_ + config_.challenge_period;
  open_association(false);
}

void Bridge::on_frame(Established&) {
  if (state_ != BridgeState::proving || established_taken_ || !evidence_sent_) {
    return refuse(Reason::out_of_order, "'established' has no place now");
  }
  established_taken_ = true;
  frame_until_ = now_ + kBridgeFrameTimeout;
  consider_established();
}

void Bridge::open_association(bool replaces) {
  bool const initiator = config_.role == BridgeRole::initiator;
  Bytes const context =
      esp_key_context(config_.label, initiator ? spi_in_ : spi_out_, initiator ? spi_out_ : spi_in_,
                      config_.policy_revision, cipher_);
  std::size_t const half_bytes = aead_material_bytes(cipher_);
  auto exported = config_.exporter(kEspExporterLabel, context, 2 * half_bytes);
  if (!exported || exported->size() != 2 * half_bytes) {
    return refuse(Reason::exporter_failed, "no keys from the TLS exporter");
  }
  // The first half is for packets from initiator to responder, the second for the other direction.
  std::span<const std::uint8_t> const keys = *exported;
  auto const forward = keys.first(half_bytes);
  auto const backward = keys.last(half_bytes);
  OpenAssociation open;
  open.peer = config_.peer;
  open.label = config_.label;
  open.policy_revision = config_.policy_revision;
  open.spi_in = spi_in_;
  open.spi_out = spi_out_;
  open.algorithm = cipher_;
  open.lanes = lanes_;
  open.extended_sequence = extended_sequence_;
  std::copy_n((initiator ? backward : forward).begin(), half_bytes,
              open.key_in.expose_mutable().begin());
  std::copy_n((initiator ? forward : backward).begin(), half_bytes,
              open.key_out.expose_mutable().begin());
  open.proof = peer_proof_;
  open.replaces = replaces;
  wipe(*exported);
  act(std::move(open));
  record(replaces ? "association_rekeyed" : "association_opened",
         fmt::format("SPIs {:08x} in, {:08x} out, {}", spi_in_, spi_out_, to_string(cipher_)));
}

}  // namespace shamon
