// What operators read and say, at the authority (GET/POST /v1/…) and at a host monitor's local
// socket.
#pragma once

#include "coalition/messages/common.hpp"

namespace shamon {

struct HostRow {  ///< GET /v1/hosts, GET /v1/hosts/{name}
  HostName host;
  std::string state;  ///< registered challenged refused active suspect revoked suspended left
  std::string platform, location, ek_fingerprint;
  Endpoint control, tunnel;
  std::optional<WallTime> last_attested;
  Revision acknowledged;
  bool connected = false;
  std::string reason;  ///< last refusal or revocation, for people
  std::vector<FindingMessage> findings;
  static constexpr auto kFields =
      fields(field("host", &HostRow::host), field("state", &HostRow::state),
             field("platform", &HostRow::platform), field("location", &HostRow::location),
             field("ek_fingerprint", &HostRow::ek_fingerprint), field("control", &HostRow::control),
             field("tunnel", &HostRow::tunnel), field("last_attested", &HostRow::last_attested),
             field("acknowledged", &HostRow::acknowledged), field("connected", &HostRow::connected),
             field("reason", &HostRow::reason), field("findings", &HostRow::findings));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};
struct HostList {
  std::vector<HostRow> hosts;
  static constexpr auto kFields = fields(field("hosts", &HostList::hosts));
  static constexpr Limits kLimits{.bytes_max = 64u << 20};
};
struct VmList {  ///< GET /v1/vms
  std::vector<VmEntry> vms;
  static constexpr auto kFields = fields(field("vms", &VmList::vms));
  static constexpr Limits kLimits{.bytes_max = 64u << 20};
};
struct AuthorityStatus {  ///< GET /v1/status
  CoalitionName coalition;
  Revision revision, policy_revision;
  std::string policy_digest;
  std::uint64_t members_active = 0, members_connected = 0, members_revoked = 0, vms_running = 0,
                uptime_ms = 0;
  std::vector<HostName> unacknowledged;
  static constexpr auto kFields =
      fields(field("coalition", &AuthorityStatus::coalition),
             field("revision", &AuthorityStatus::revision),
             field("policy_revision", &AuthorityStatus::policy_revision),
             field("policy_digest", &AuthorityStatus::policy_digest),
             field("members_active", &AuthorityStatus::members_active),
             field("members_connected", &AuthorityStatus::members_connected),
             field("members_revoked", &AuthorityStatus::members_revoked),
             field("vms_running", &AuthorityStatus::vms_running),
             field("uptime_ms", &AuthorityStatus::uptime_ms),
             field("unacknowledged", &AuthorityStatus::unacknowledged));
  static constexpr Limits kLimits{.bytes_max = 1u << 20};
};
struct RevokeRequest {  ///< POST /v1/hosts/{name}/revoke, /v1/vms/{name}/revoke
  std::string reason;
  static constexpr auto kFields = fields(field("reason", &RevokeRequest::reason));
  static constexpr Limits kLimits{.bytes_max = 4096};
};
struct ReferenceValueList {  ///< GET and PUT /v1/reference-values
  std::vector<ReferenceValueMessage> reference_values;
  static constexpr auto kFields =
      fields(field("reference_values", &ReferenceValueList::reference_values));
  static constexpr Limits kLimits{.bytes_max = 32u << 20};
};
struct PolicyMessage {  ///< GET and PUT /v1/policy
  std::string name, text;
  Revision revision;
  static constexpr auto kFields =
      fields(field("name", &PolicyMessage::name), field("text", &PolicyMessage::text),
             field("revision", &PolicyMessage::revision));
  static constexpr Limits kLimits{.bytes_max = 4u << 20};
};
/// One line of `shamon watch`: GET /v1/events (authority) and GET /v1/events (host monitor),
/// server-sent, data = JSON of this.
struct EventRow {
  WallTime time;
  std::int64_t monotonic_ns = 0;  ///< CLOCK_MONOTONIC where it was recorded
  std::string source;             ///< "authority" or the host
  std::string
      kind;  ///< "registered" "refused" "joined" "attested" "revoked" "association_opened"
             ///< "association_closed" "denied" "challenge_failed" "lease_ended" "lease_resumed" …
  std::string subject, object, text;
  Revision revision;
  std::vector<FindingMessage> findings;
  static constexpr auto kFields =
      fields(field("time", &EventRow::time), field("monotonic_ns", &EventRow::monotonic_ns),
             field("source", &EventRow::source), field("kind", &EventRow::kind),
             field("subject", &EventRow::subject), field("object", &EventRow::object),
             field("text", &EventRow::text), field("revision", &EventRow::revision),
             field("findings", &EventRow::findings));
  static constexpr Limits kLimits{.bytes_max = 256u << 10};
};
struct EventList {  ///< GET /v1/events?after=N&json=1 : the kept tail
  std::vector<EventRow> events;
  static constexpr auto kFields = fields(field("events", &EventList::events));
  static constexpr Limits kLimits{.bytes_max = 64u << 20};
};

// A host monitor's local API (UNIX sockets): GET /v1/host, /v1/associations, /v1/audit,
// /v1/explain/flow
struct AssociationRow {
  std::uint64_t association = 0;
  HostName peer;
  LabelName label;
  Revision revision;
  std::string cipher;  ///< by IANA's name, "ENCR_AES_GCM_16-256"
  std::string state;   ///< "open", "closed"
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;
  std::uint64_t last_passed_ns = 0;  ///< CLOCK_MONOTONIC
  std::string reason;                ///< if closed
  std::uint64_t closed_ns = 0;
  static constexpr auto kFields = fields(
      field("association", &AssociationRow::association), field("peer", &AssociationRow::peer),
      field("label", &AssociationRow::label), field("revision", &AssociationRow::revision),
      field("cipher", &AssociationRow::cipher), field("state", &AssociationRow::state),
      field("packets_in", &AssociationRow::packets_in),
      field("packets_out", &AssociationRow::packets_out),
      field("bytes_in", &AssociationRow::bytes_in), field("bytes_out", &AssociationRow::bytes_out),
      field("last_passed_ns", &AssociationRow::last_passed_ns),
      field("reason", &AssociationRow::reason), field("closed_ns", &AssociationRow::closed_ns));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};
struct HostStatus {
  HostName host;
  CoalitionName coalition;
  std::string state;  ///< member state
  Revision revision, policy_revision;
  std::int64_t lease_left_ms = 0;
  std::string reason;
  bool gate_connected = false;
  std::vector<VmEntry> vms;
  std::vector<AssociationRow> associations;
  static constexpr auto kFields = fields(
      field("host", &HostStatus::host), field("coalition", &HostStatus::coalition),
      field("state", &HostStatus::state), field("revision", &HostStatus::revision),
      field("policy_revision", &HostStatus::policy_revision),
      field("lease_left_ms", &HostStatus::lease_left_ms), field("reason", &HostStatus::reason),
      field("gate_connected", &HostStatus::gate_connected), field("vms", &HostStatus::vms),
      field("associations", &HostStatus::associations));
  static constexpr Limits kLimits{.bytes_max = 16u << 20};
};
/// One decision, as the journal keeps it: GET /v1/audit?denied=1&limit=N. Its other spellings (the
/// audit daemon's, OCSF's) are made from this when they are asked for: audit/.
struct AuditRow {
  std::uint64_t sequence = 0;  ///< its number in the journal's chain; 0: not written
  WallTime time;
  std::string hook, verdict, reason;  ///< verdict: "allowed" | "denied"
  std::string subject, object, subject_label, object_label, service;
  std::string source, destination;  ///< of the packet, "10.0.0.1:443"; empty: no packet
  std::string rule, text;
  std::uint64_t count = 1;  ///< decisions this row stands for
  bool summary = false;     ///< true: the rows of `count` like decisions were not written
  Revision revision;
  static constexpr auto kFields =
      fields(field("sequence", &AuditRow::sequence), field("time", &AuditRow::time),
             field("hook", &AuditRow::hook), field("verdict", &AuditRow::verdict),
             field("reason", &AuditRow::reason), field("subject", &AuditRow::subject),
             field("object", &AuditRow::object), field("subject_label", &AuditRow::subject_label),
             field("object_label", &AuditRow::object_label), field("service", &AuditRow::service),
             field("source", &AuditRow::source), field("destination", &AuditRow::destination),
             field("rule", &AuditRow::rule), field("text", &AuditRow::text),
             field("count", &AuditRow::count), field("summary", &AuditRow::summary),
             field("revision", &AuditRow::revision));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};
struct AuditList {
  std::vector<AuditRow> records;
  static constexpr auto kFields = fields(field("records", &AuditList::records));
  static constexpr Limits kLimits{.bytes_max = 64u << 20};
};
/// One thing that must hold for the verdict to be yes, and whether it does.
struct PremiseMessage {
  bool holds = false;
  std::string text;
  std::string rule;  ///< "boinc.policy:12 revision 7"; empty: not a matter of policy
  static constexpr auto kFields =
      fields(field("holds", &PremiseMessage::holds), field("text", &PremiseMessage::text),
             field("rule", &PremiseMessage::rule));
  static constexpr Limits kLimits{.bytes_max = 16u << 10};
};
/// What would have to change for the verdict to be yes, and who may change it.
struct RemedyMessage {
  std::string what, who, command;  ///< command: what they would type; empty: none
  static constexpr auto kFields =
      fields(field("what", &RemedyMessage::what), field("who", &RemedyMessage::who),
             field("command", &RemedyMessage::command));
  static constexpr Limits kLimits{.bytes_max = 16u << 10};
};
/// Why something may or may not happen: a verdict and the lines of its argument, premises indented.
struct Explanation {
  std::string question,
      verdict;  ///< verdict: "allowed" | "denied" | "trusted" | "not trusted" | "unknown"
  std::vector<std::string> lines;
  std::vector<FindingMessage> findings;
  std::vector<PremiseMessage> premises = {};
  std::vector<RemedyMessage> remedies = {};
  static constexpr auto kFields =
      fields(field("question", &Explanation::question), field("verdict", &Explanation::verdict),
             field("lines", &Explanation::lines), field("findings", &Explanation::findings),
             field("premises", &Explanation::premises), field("remedies", &Explanation::remedies));
  static constexpr Limits kLimits{.bytes_max = 1u << 20};
};

}  // namespace shamon
