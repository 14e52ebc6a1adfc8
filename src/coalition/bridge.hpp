// One association between two hosts, from the TLS handshake to its end: who the peer is, that it is
// what it should be, the keys, and the same questions again every challenge period. Runs over the
// frames of one TLS connection; both roles are here. Keys come only from the TLS exporter, with
// label, SPIs, policy revision and cipher as context: ends that disagree cannot decrypt each other.
//
//  state        event                          next         actions
//  new          handshake (initiator)          greeting     hello
//  new          handshake (responder)          greeting     -
//  greeting     hello (responder)              proving      hello_reply, make a quote if wanted
//  greeting     hello_reply (initiator)        proving      make a quote if wanted
//  proving      own quote ready                proving      evidence
//  proving      evidence                       proving      verify proof, appraise
//  proving      both verdicts good             proving      established
//  proving      … and the peer's established   established  open association
//  established  challenge period               established  challenge
//  established  answer, verdicts good          established  -
//  established  answer, a verdict bad, late    closed       close association, report
//  established  challenge                      established  answer
//  established  rekey, either side             established  hello_reply, open with `replaces`
//  established  connection lost                closed       leave the association until its time
//  any          refused, close, lost, wrong    closed       close association if open
//
// A lost connection is silence, not bad news (a host monitor that is restarted loses all of its
// own): the association ends when the peer's silence would have been too long, and not before.
// A rekey has new SPIs, so new keys; where both ask at once the initiator's goes on. Evidence is
// bound to the channel, the label and the revision of the first hello, also after a rekey to a
// later one: the two ends pass from one revision to the next at different moments.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/time.hpp"
#include "coalition/bridge_events.hpp"
#include "coalition/bridge_frame.hpp"

namespace shamon {

enum class BridgeRole : std::uint8_t { initiator, responder };
enum class BridgeState : std::uint8_t { fresh, greeting, proving, established, closed };
char const* to_string(BridgeState state) noexcept;

struct BridgeConfig {
  BridgeRole role = BridgeRole::initiator;
  HostName self;
  HostName peer;              ///< whom an initiator wants; a responder learns it
  LabelName label;            ///< what an initiator wants; a responder learns it
  Revision policy_revision;   ///< that we enforce now
  std::string want = "both";  ///< what we demand: "authority", "direct", "both"
  /// What the coalition allows and this machine will do, the preferred first.
  std::vector<AeadAlgorithm> ciphers;
  std::uint32_t lanes = 1;          ///< SAs each way that our gate needs, one for each worker
  bool extended_sequence = true;    ///< ESN, if the peer would too
  std::string proof;                ///< our own, to show
  std::uint32_t pcr_mask = 0xffff;  ///< of the quote we make, and demand, for direct evidence
  Duration challenge_period = std::chrono::seconds(3);
  Duration challenge_timeout = std::chrono::seconds(6);
  /// May the peer have an association of this label with us? For the responder.
  std::function<bool(HostName const& peer, LabelName const& label)> may_associate;
  /// TLS exporter of this connection (RFC 8446 §7.5).
  std::function<Result<Bytes>(std::string_view label, ByteView context, std::size_t bytes)>
      exporter;
  std::function<Bytes(std::size_t bytes)> random;
  /// The first of kEspLanesMax SPIs no association of this gate uses, > 255 and a multiple of it.
  std::function<std::uint32_t()> new_spi;
};

namespace bridge {
/// Our challenge under way.
struct Outstanding {
  BridgeChallenge challenge;
  Instant until;
  bool sent = false;  ///< false: being prepared
  bool answered = false;
  std::set<Ticket> verdicts;  ///< still to come
  Ticket host_ticket = 0;
  std::map<Ticket, VmName> vm_of;
};
}  // namespace bridge

class Bridge {
 public:
  explicit Bridge(BridgeConfig config, Instant now);

  bridge::Actions on(bridge::Event event, Instant now, WallTime wall);

  BridgeState state() const noexcept { return state_; }
  std::optional<Instant> next_deadline() const noexcept;
  HostName const& peer() const noexcept { return config_.peer; }
  LabelName const& label() const noexcept { return config_.label; }
  std::uint32_t spi_in() const noexcept { return spi_in_; }
  /// Why it is closed.
  bridge::Reason reason() const noexcept { return reason_; }
  std::string const& reason_text() const noexcept { return reason_text_; }
  /// A newer proof to show; for later negotiations on this connection.
  void set_proof(std::string proof) { config_.proof = std::move(proof); }

 private:
  // bridge.cpp: negotiation.
  void on_event(bridge::HandshakeDone& event);
  void on_event(bridge::FrameReceived& event);
  void on_event(bridge::ConnectionLost& event);
  void on_event(bridge::QuoteReady& event);
  void on_event(bridge::ProofVerdict& event);
  void on_event(bridge::AppraisalVerdict& event);
  void on_event(bridge::AssociationRefused& event);
  void on_event(bridge::CloseWanted& event);
  void on_event(bridge::Timer& event);
  void on_frame(BridgeHello& hello);
  void on_frame(bridge::HelloReply& reply);
  void on_frame(BridgeEvidence& evidence);
  void on_frame(bridge::Established& established);
  void on_frame(BridgeRefused& refused);
  void on_frame(bridge::CloseNotice& notice);
  bool take_hello(BridgeHello const& hello);
  std::optional<AeadAlgorithm> choose_cipher(BridgeHello const& hello) const;
  BridgeHello own_hello();
  /// What we would agree to.
  void say_terms(BridgeHello& hello) const;
  void prove();
  void send_evidence(std::optional<EvidenceMessage> evidence);
  void consider_established();
  void open_association(bool replaces);

  // bridge_watch.cpp: the open association.
  void on_event(bridge::ChallengePrepared& event);
  void on_event(bridge::AnswerReady& event);
  void on_event(bridge::PolicyRevisionIs& event);
  void on_event(bridge::RekeyWanted& event);
  void on_frame(BridgeChallenge& challenge);
  void on_frame(BridgeAnswer& answer);
  void on_frame(bridge::Rekey& rekey);
  void on_rekey_reply(BridgeHello const& hello);
  void on_rekey_refused(BridgeRefused const& refused);
  void on_challenge_verdict(bridge::AppraisalVerdict const& verdict);
  void check_watch_deadlines();
  void start_rekey();

  void refuse(bridge::Reason reason, std::string text, std::vector<FindingMessage> findings = {});
  void close(bridge::Reason reason, std::string text, std::vector<FindingMessage> findings = {});
  void leave(std::string text);
  void send(bridge::Frame const& frame);
  void act(bridge::Action action) { actions_.push_back(std::move(action)); }
  void record(char const* kind, std::string text, std::vector<FindingMessage> findings = {});
  Result<Bytes> qualifying_data(ByteView nonce) const;
  bool fresh_nonce(ByteView nonce);
  bool demands_direct(std::string const& want) const { return want == "direct" || want == "both"; }

  BridgeConfig config_;
  BridgeState state_ = BridgeState::fresh;
  bridge::Reason reason_ = bridge::Reason::asked;
  std::string reason_text_;
  Instant frame_until_;  ///< while negotiating
  bridge::Ticket next_ticket_ = 1;

  // The negotiation.
  std::uint32_t spi_in_ = 0, spi_out_ = 0;
  Bytes own_nonce_, peer_nonce_;
  std::vector<std::uint64_t> seen_nonces_;  ///< their first bytes, the latest last
  std::string peer_want_, peer_proof_;
  AeadAlgorithm cipher_{};  ///< of the keys negotiated last, as are the next two
  std::uint32_t lanes_ = 1;
  bool extended_sequence_ = false;
  bridge::Ticket quote_ticket_ = 0, proof_ticket_ = 0, appraisal_ticket_ = 0;
  Revision bound_revision_;  ///< of the first hello: evidence is bound to it
  bool hello_taken_ = false, evidence_sent_ = false, evidence_taken_ = false;
  bool established_sent_ = false, established_taken_ = false;

  // The open association.
  Instant challenge_at_;
  std::uint64_t own_sequence_ = 0, peer_sequence_ = 0;
  std::optional<bridge::Outstanding> outstanding_;
  bridge::Ticket answer_ticket_ = 0;
  std::uint64_t answer_sequence_ = 0;
  std::set<std::uint32_t> used_spis_;
  std::uint32_t rekey_spi_ = 0;  ///< our spi_in of a rekey under way; 0: none
  std::optional<Instant> rekey_until_;
  bool rekey_wanted_ = false;
  unsigned rekey_tries_ = 0;

  bridge::Actions actions_;
  Instant now_;
  WallTime wall_;
};

}  // namespace shamon
