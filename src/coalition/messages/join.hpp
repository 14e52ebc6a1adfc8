// Messages 3–4: challenge, evidence, acceptance. POST /v1/challenge, POST /v1/join, POST
// /v1/evidence.
#pragma once

#include "coalition/messages/common.hpp"

namespace shamon {

struct ChallengeRequest {
  HostName host;
  static constexpr auto kFields = fields(field("host", &ChallengeRequest::host));
  static constexpr Limits kLimits{.bytes_max = 1024};
};
// answer: ChallengeMessage

/// The quote's qualifying data is SHA-256(nonce ‖ SHA-256(tls_public)): the TLS key is vouched for
/// by the TPM.
struct JoinRequest {
  HostName host;
  Bytes nonce;
  Bytes tls_public;  ///< SubjectPublicKeyInfo DER of the key the membership certificate is for
  EvidenceMessage evidence;
  static constexpr auto kFields = fields(
      field("host", &JoinRequest::host), field("nonce", &JoinRequest::nonce),
      field("tls_public", &JoinRequest::tls_public), field("evidence", &JoinRequest::evidence));
  static constexpr Limits kLimits{.bytes_max = 12u << 20};
};
Bytes join_qualifying_data(ByteView nonce, ByteView tls_public);

struct JoinAccepted {
  HostName host;
  CoalitionName coalition;
  Revision revision;  ///< of the status feed: follow from here
  Revision policy_revision;
  std::string policy_name, policy_text;
  std::vector<std::string> membership_chain;  ///< PEM, leaf first
  std::string proof;                          ///< EAR as JWT
  std::uint64_t heartbeat_ms = 1000, lease_ms = 3000, challenge_period_ms = 3000;
  /// For ESP, by IANA's names, the preferred first. An authority that does not say so knows one.
  std::vector<std::string> ciphers = {"ENCR_AES_GCM_16-256"};
  std::vector<MemberEntry> members;
  std::vector<VmEntry> vms;
  std::vector<ReferenceValueMessage> reference_values;  ///< for host and VM evidence
  Bytes status_key;                                     ///< SPKI of the key that signs the feed
  static constexpr auto kFields = fields(
      field("host", &JoinAccepted::host), field("coalition", &JoinAccepted::coalition),
      field("revision", &JoinAccepted::revision),
      field("policy_revision", &JoinAccepted::policy_revision),
      field("policy_name", &JoinAccepted::policy_name),
      field("policy_text", &JoinAccepted::policy_text),
      field("membership_chain", &JoinAccepted::membership_chain),
      field("proof", &JoinAccepted::proof), field("heartbeat_ms", &JoinAccepted::heartbeat_ms),
      field("lease_ms", &JoinAccepted::lease_ms),
      field("challenge_period_ms", &JoinAccepted::challenge_period_ms),
      field("ciphers", &JoinAccepted::ciphers), field("members", &JoinAccepted::members),
      field("vms", &JoinAccepted::vms), field("reference_values", &JoinAccepted::reference_values),
      field("status_key", &JoinAccepted::status_key));
  static constexpr Limits kLimits{.bytes_max = 16u << 20};
};

/// Answer to a challenge that came through the feed. Also renews the membership certificate.
struct EvidenceRequest {
  HostName host;
  Bytes nonce;
  EvidenceMessage evidence;
  static constexpr auto kFields =
      fields(field("host", &EvidenceRequest::host), field("nonce", &EvidenceRequest::nonce),
             field("evidence", &EvidenceRequest::evidence));
  static constexpr Limits kLimits{.bytes_max = 12u << 20};
};
struct EvidenceAccepted {
  Revision revision;
  std::string proof;  ///< renewed EAR
  std::vector<std::string>
      membership_chain;  ///< renewed, or empty while the old one is good for long
  static constexpr auto kFields = fields(
      field("revision", &EvidenceAccepted::revision), field("proof", &EvidenceAccepted::proof),
      field("membership_chain", &EvidenceAccepted::membership_chain));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};

}  // namespace shamon
