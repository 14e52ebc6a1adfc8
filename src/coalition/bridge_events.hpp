// What the bridge machine is told and what it asks for.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/secret.hpp"
#include "coalition/messages/bridge.hpp"
#include "coalition/messages/operator.hpp"
#include "coalition/messages/status.hpp"

namespace shamon::bridge {

/// Which question an answer belongs to. Answers to questions given up meanwhile are ignored.
using Ticket = std::uint64_t;

/// Why a negotiation or an association ended. Closed; the text form is the `code` on the wire.
enum class Reason : std::uint8_t {
  peer_name,         ///< the certificate, the hello and who we wanted are not one host
  label_unknown,     ///< the label is not one of our policy, or we run no VM of it
  label_mismatch,    ///< the answer is about another label
  policy_revision,   ///< the two ends do not enforce the same revision
  want_unknown,      ///< neither "authority" nor "direct" nor "both"
  nonce_bad,         ///< not 32 bytes
  nonce_stale,       ///< used before on this connection, or our own sent back
  spi_bad,           ///< reserved, or already in use on this connection
  no_common_cipher,  ///< nothing both ends may use
  malformed,
  too_large,
  out_of_order,   ///< a kind that has no place now
  timeout,        ///< the peer is silent
  proof_refused,  ///< its proof of acceptance does not hold
  evidence_missing,
  evidence_refused,     ///< its quote or logs do not hold for this channel
  own_evidence_failed,  ///< our TPM or our authority did not give us what the peer wants
  exporter_failed,
  association_denied,  ///< our monitor or gate said no
  challenge_failed,    ///< an attestation of an open association did not hold
  challenge_timeout,
  peer_refused,  ///< the peer ended it; the text has its code
  connection_lost,
  asked,  ///< our own side: revocation, policy, operator
};
char const* to_string(Reason reason) noexcept;

/// The cipher's key, 4 bytes of salt (RFC 4106 §8.1, RFC 7634 §2), then zeros.
using EspKeys = Secret<kAeadMaterialBytesMax>;

// Events.
struct HandshakeDone {
  HostName peer;
};  ///< the name in the peer's membership certificate
struct FrameReceived {
  Bytes frame;
};
struct ConnectionLost {
  std::string text;
};
struct QuoteReady {
  Ticket ticket = 0;
  Result<EvidenceMessage> evidence;
};
struct ProofVerdict {
  Ticket ticket = 0;
  Status status;
};
struct AppraisalVerdict {
  Ticket ticket = 0;
  bool accepted = false;
  std::vector<FindingMessage> findings;
};
/// The answer to PrepareChallenge: which VMs, which PCRs, from which log offsets. Nonces and the
/// sequence are filled in by the machine.
struct ChallengePrepared {
  BridgeChallenge challenge;
};
struct AnswerReady {
  Ticket ticket = 0;
  BridgeAnswer answer;
};
struct AssociationRefused {
  std::string text;
};  ///< OpenAssociation was denied
struct PolicyRevisionIs {
  Revision revision;
};  ///< we enforce another revision now
struct RekeyWanted {};
struct CloseWanted {
  std::string text;
};
struct Timer {};

using Event = std::variant<HandshakeDone, FrameReceived, ConnectionLost, QuoteReady, ProofVerdict,
                           AppraisalVerdict, ChallengePrepared, AnswerReady, AssociationRefused,
                           PolicyRevisionIs, RekeyWanted, CloseWanted, Timer>;

// Actions.
struct SendFrame {
  Bytes frame;
};
/// Evidence of this host: the quote has `qualifying_data`.
struct MakeQuote {
  Ticket ticket = 0;
  ChallengeMessage challenge;
  Bytes qualifying_data;
};
struct VerifyProof {
  Ticket ticket = 0;
  HostName peer;
  std::string proof;
};
/// Judge evidence of the peer with the AK the directory has for it and
/// to_challenge(challenge, qualifying_data).
struct Appraise {
  Ticket ticket = 0;
  HostName peer;
  EvidenceMessage evidence;
  ChallengeMessage challenge;
  Bytes qualifying_data;
};
/// The same of a VM of the peer. No evidence: `error` says why; the driver knows whether the VM
/// has ended meanwhile and accepts that then, and only then.
struct AppraiseVm {
  Ticket ticket = 0;
  VmName vm;
  std::optional<EvidenceMessage> evidence;
  std::string error;
  ChallengeMessage challenge;
  Bytes qualifying_data;
};
struct OpenAssociation {
  HostName peer;
  LabelName label;
  Revision policy_revision;
  std::uint32_t spi_in = 0;   ///< the peer sends with it
  std::uint32_t spi_out = 0;  ///< we send with it
  AeadAlgorithm algorithm = AeadAlgorithm::encr_aes_gcm_16_256;
  std::uint32_t lanes = 1;  ///< SAs each way, on SPIs that follow these
  bool extended_sequence = false;
  EspKeys key_in, key_out;
  std::string proof;      ///< what the peer showed: the dependency to record
  bool replaces = false;  ///< a rekey: make before break
};
/// Close what OpenAssociation opened, now; the connection is of no more use.
struct CloseAssociation {
  HostName peer;
  LabelName label;
  Reason reason = Reason::asked;
  std::string text;
};
/// Nobody asks this peer any more: close what OpenAssociation opened at `until`, when its silence
/// would have been too long, unless a new negotiation with it has replaced it by then.
struct LeaveAssociation {
  HostName peer;
  LabelName label;
  Instant until;
  std::string text;
};
struct PrepareChallenge {};
/// The peer challenges us. `vm_qualifying_data` goes with `challenge.vms`, one each.
struct AnswerNeeded {
  Ticket ticket = 0;
  BridgeChallenge challenge;
  Bytes host_qualifying_data;
  std::vector<Bytes> vm_qualifying_data;
};
struct Report {
  FailureReport report;
};  ///< to the authority
struct Record {
  EventRow row;
};
struct CloseConnection {
  Reason reason = Reason::asked;
  std::string text;
};  ///< always the last

using Action = std::variant<SendFrame, MakeQuote, VerifyProof, Appraise, AppraiseVm,
                            OpenAssociation, CloseAssociation, LeaveAssociation, PrepareChallenge,
                            AnswerNeeded, Report, Record, CloseConnection>;
using Actions = std::vector<Action>;

}  // namespace shamon::bridge
