// The status feed: GET /v1/feed?from=REVISION, server-sent events whose data is base64 of a
// COSE_Sign1 (RFC 9052) over the CBOR of one statement. Event names: "change", "heartbeat",
// "challenge".
#pragma once

#include <span>
#include <utility>

#include "coalition/messages/common.hpp"
#include "crypto/key.hpp"

namespace shamon {

enum class ChangeKind : std::uint8_t {
  member_joined = 1,   ///< member
  member_revoked = 2,  ///< member.host, text
  member_left = 3,
  member_suspect = 4,
  policy_changed = 5,    ///< policy_revision, policy_name, policy_text
  vm_changed = 6,        ///< vm: new entry or new state
  vm_revoked = 7,        ///< vm.vm, text
  reference_values = 8,  ///< reference_values: replaced whole
};

std::span<std::pair<ChangeKind, char const*> const> enum_names(ChangeKind) noexcept;
char const* to_string(ChangeKind kind) noexcept;  ///< "member_joined"

struct StatusChange {
  Revision revision;
  WallTime time;
  ChangeKind kind = ChangeKind::member_joined;
  std::optional<MemberEntry> member;
  std::optional<VmEntry> vm;
  Revision policy_revision;
  std::string policy_name, policy_text;
  std::vector<ReferenceValueMessage> reference_values;
  std::string text;  ///< reason for people
  std::vector<FindingMessage> findings;
  static constexpr auto kFields = fields(
      field("revision", &StatusChange::revision), field("time", &StatusChange::time),
      field("kind", &StatusChange::kind), field("member", &StatusChange::member),
      field("vm", &StatusChange::vm), field("policy_revision", &StatusChange::policy_revision),
      field("policy_name", &StatusChange::policy_name),
      field("policy_text", &StatusChange::policy_text),
      field("reference_values", &StatusChange::reference_values),
      field("text", &StatusChange::text), field("findings", &StatusChange::findings));
  static constexpr Limits kLimits{.bytes_max = 4u << 20};
};

/// "Revision R is current at time T." Sequence strictly increases within an authority's life;
/// `boot` tells lives apart.
struct Heartbeat {
  Revision revision;
  WallTime time;
  std::uint64_t sequence = 0;
  std::uint64_t lease_ms = 3000;
  static constexpr auto kFields =
      fields(field("revision", &Heartbeat::revision), field("time", &Heartbeat::time),
             field("sequence", &Heartbeat::sequence), field("lease_ms", &Heartbeat::lease_ms));
  static constexpr Limits kLimits{.bytes_max = 1024};
};

/// The authority challenges this member again; answer with EvidenceRequest.
struct FeedChallenge {
  HostName host;
  ChallengeMessage challenge;
  static constexpr auto kFields =
      fields(field("host", &FeedChallenge::host), field("challenge", &FeedChallenge::challenge));
  static constexpr Limits kLimits{.bytes_max = 8192};
};

struct Acknowledgement {  ///< POST /v1/acknowledge
  HostName host;
  Revision revision;
  static constexpr auto kFields =
      fields(field("host", &Acknowledgement::host), field("revision", &Acknowledgement::revision));
  static constexpr Limits kLimits{.bytes_max = 1024};
};

struct VmReport {  ///< POST /v1/vms: a member tells what it runs
  HostName host;
  VmEntry vm;
  static constexpr auto kFields =
      fields(field("host", &VmReport::host), field("vm", &VmReport::vm));
  static constexpr Limits kLimits{.bytes_max = 16u << 10};
};

struct FailureReport {  ///< POST /v1/failures: a member's challenge of its own VM or of a peer
                        ///< failed
  HostName reporter;
  HostName about_host;  ///< one of the two
  VmName about_vm;
  std::vector<FindingMessage> findings;
  static constexpr auto kFields = fields(
      field("reporter", &FailureReport::reporter), field("about_host", &FailureReport::about_host),
      field("about_vm", &FailureReport::about_vm), field("findings", &FailureReport::findings));
  static constexpr Limits kLimits{.bytes_max = 256u << 10};
};

/// COSE_Sign1 with ES256, tagged (18), protected header {1: -7, 3: content type text}, no external
/// data.
Result<Bytes> sign_statement(std::string_view content_type, ByteView payload,
                             PrivateKey const& key);
/// The payload, if the signature and the content type hold. Errors: `untrusted`, `malformed`.
Result<Bytes> verify_statement(std::string_view content_type, ByteView cose_sign1,
                               PublicKey const& key);
inline constexpr std::string_view kChangeContentType = "application/vnd.shamon.change+cbor";
inline constexpr std::string_view kHeartbeatContentType = "application/vnd.shamon.heartbeat+cbor";
inline constexpr std::string_view kChallengeContentType = "application/vnd.shamon.challenge+cbor";

}  // namespace shamon
