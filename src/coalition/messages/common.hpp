// Parts that several messages share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attestation/appraisal.hpp"
#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/time.hpp"
#include "coalition/codec.hpp"

namespace shamon {

/// Evidence on the wire (attestation/evidence.hpp has the value type).
struct EvidenceMessage {
  Bytes attest, signature, event_log, ima_log;
  std::uint64_t ima_offset = 0;
  std::uint32_t reset_count = 0;
  static constexpr auto kFields = fields(
      field("attest", &EvidenceMessage::attest), field("signature", &EvidenceMessage::signature),
      field("event_log", &EvidenceMessage::event_log), field("ima_log", &EvidenceMessage::ima_log),
      field("ima_offset", &EvidenceMessage::ima_offset),
      field("reset_count", &EvidenceMessage::reset_count));
  static constexpr Limits kLimits{.bytes_max = 8u << 20};
};
EvidenceMessage to_message(Evidence const& evidence);
Evidence to_evidence(EvidenceMessage const& message);

/// A verifier's challenge.
struct ChallengeMessage {
  Bytes nonce;                 ///< 32 bytes
  std::uint32_t pcr_mask = 0;  ///< of the sha256 bank
  std::uint64_t ima_offset = 0;
  std::uint32_t reset_count = 0;
  static constexpr auto kFields = fields(field("nonce", &ChallengeMessage::nonce),
                                         field("pcr_mask", &ChallengeMessage::pcr_mask),
                                         field("ima_offset", &ChallengeMessage::ima_offset),
                                         field("reset_count", &ChallengeMessage::reset_count));
  static constexpr Limits kLimits{.bytes_max = 4096};
};
/// The PCR bank is always sha256.
ChallengeMessage to_message(Challenge const& challenge);
/// What the appraiser is given: the quote's qualifying data stands where the nonce was, because it
/// binds the nonce and the channel (join_qualifying_data, bridge_qualifying_data).
Challenge to_challenge(ChallengeMessage const& message, ByteView qualifying_data);

/// Why something was refused: rule, component, entry, digest, as `explain` shows them.
struct FindingMessage {
  std::string rule, component;
  std::uint64_t entry = 0;
  std::string found;               ///< hex
  std::vector<std::string> known;  ///< hex
  std::string text;
  static constexpr auto kFields =
      fields(field("rule", &FindingMessage::rule), field("component", &FindingMessage::component),
             field("entry", &FindingMessage::entry), field("found", &FindingMessage::found),
             field("known", &FindingMessage::known), field("text", &FindingMessage::text));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};
FindingMessage to_message(AppraisalFinding const& finding);

/// Body of every HTTP error answer.
struct Refusal {
  std::string code;  ///< Errc as text, or "attestation_failed"
  std::string message;
  std::vector<FindingMessage> findings;
  static constexpr auto kFields =
      fields(field("code", &Refusal::code), field("message", &Refusal::message),
             field("findings", &Refusal::findings));
  static constexpr Limits kLimits{.bytes_max = 256u << 10};
};

struct ReferenceValueMessage {
  std::string component, digest;  ///< digest: "sha256:<hex>"
  bool trusted = false;
  std::string source;
  static constexpr auto kFields = fields(field("component", &ReferenceValueMessage::component),
                                         field("digest", &ReferenceValueMessage::digest),
                                         field("trusted", &ReferenceValueMessage::trusted),
                                         field("source", &ReferenceValueMessage::source));
  static constexpr Limits kLimits{.bytes_max = 4096};
};

/// One VM in the coalition's directory.
struct VmEntry {
  VmName vm;
  LabelName label;
  HostName host;
  Ipv4 address;
  std::string image;
  std::string state;  ///< "running", "suspended", "stopped", "revoked"
  Bytes ak_public;    ///< TPM2B_PUBLIC of its vTPM's attestation key; empty for domains
  static constexpr auto kFields = fields(
      field("vm", &VmEntry::vm), field("label", &VmEntry::label), field("host", &VmEntry::host),
      field("address", &VmEntry::address), field("image", &VmEntry::image),
      field("state", &VmEntry::state), field("ak_public", &VmEntry::ak_public));
  static constexpr Limits kLimits{.bytes_max = 8192};
};

/// One member as others see it.
struct MemberEntry {
  HostName host;
  Endpoint control;   ///< where its negotiation listens (TCP/TLS)
  Endpoint tunnel;    ///< where its gate listens (UDP)
  std::string state;  ///< "active", "suspect", "revoked", "left"
  Bytes ak_public;
  static constexpr auto kFields =
      fields(field("host", &MemberEntry::host), field("control", &MemberEntry::control),
             field("tunnel", &MemberEntry::tunnel), field("state", &MemberEntry::state),
             field("ak_public", &MemberEntry::ak_public));
  static constexpr Limits kLimits{.bytes_max = 8192};
};

}  // namespace shamon
