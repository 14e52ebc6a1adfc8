// What the member machine is told and what it asks for. The driver turns actions into I/O and I/O
// into events; it decides nothing.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "coalition/messages/join.hpp"
#include "coalition/messages/operator.hpp"
#include "coalition/messages/registration.hpp"
#include "coalition/messages/status.hpp"

namespace shamon::member {

/// Which request an answer belongs to. Answers to requests given up meanwhile are ignored.
using Ticket = std::uint64_t;

/// An answer, or why there is none: the authority's refusal, or what the transport said in the same
/// form (`code` "unreachable", "timeout", …; see to_refusal).
template <class T>
using Answer = tl::expected<T, Refusal>;
Refusal to_refusal(Error const& error);

// Events.
struct Start {};    ///< the daemon runs
struct Restart {};  ///< an operator asks to begin again, also after a revocation or a leave
struct Leave {};    ///< an operator asks to leave the coalition
struct Timer {};    ///< next_deadline() has passed
struct RegisterAnswer {
  Ticket ticket = 0;
  Answer<RegisterChallenge> answer;
};
struct SecretReady {
  Ticket ticket = 0;
  Result<Bytes> secret;
};
struct ActivateAnswer {
  Ticket ticket = 0;
  Answer<Registered> answer;
};
struct ChallengeAnswer {
  Ticket ticket = 0;
  Answer<ChallengeMessage> answer;
};
struct QuoteReady {
  Ticket ticket = 0;
  Result<EvidenceMessage> evidence;
};
struct JoinAnswer {
  Ticket ticket = 0;
  Answer<JoinAccepted> answer;
};
struct EvidenceAnswer {
  Ticket ticket = 0;
  Answer<EvidenceAccepted> answer;
};
struct AcknowledgeAnswer {
  Ticket ticket = 0;
  bool ok = false;
};
/// The policy of ApplyPolicy is enforced, or why not: it does not compile or is not compatible.
struct PolicyApplied {
  Revision revision;
  Status status;
};
struct FeedEvent {
  Ticket ticket = 0;
  std::string name, data;
};
/// The stream ended (code "unreachable" …) or was refused (an answer that is not 200).
struct FeedEnded {
  Ticket ticket = 0;
  Refusal why;
};

using Event = std::variant<Start, Restart, Leave, Timer, RegisterAnswer, SecretReady,
                           ActivateAnswer, ChallengeAnswer, QuoteReady, JoinAnswer, EvidenceAnswer,
                           AcknowledgeAnswer, PolicyApplied, FeedEvent, FeedEnded>;

// Actions.
struct SendRegister {
  Ticket ticket = 0;
};  ///< the driver knows the keys: POST /v1/register
struct ActivateCredential {
  Ticket ticket = 0;
  Bytes id_object, encrypted_secret;
};
struct SendActivate {
  Ticket ticket = 0;
  ActivateRequest request;
};
struct RequestChallenge {
  Ticket ticket = 0;
};
/// Evidence for `challenge`: the quote over its PCRs has `qualifying_data`.
struct MakeQuote {
  Ticket ticket = 0;
  ChallengeMessage challenge;
  Bytes qualifying_data;
};
struct SendJoin {
  Ticket ticket = 0;
  JoinRequest request;
};
struct SendEvidence {
  Ticket ticket = 0;
  EvidenceRequest request;
};
struct SendAcknowledgement {
  Ticket ticket = 0;
  Revision revision;
};
struct OpenFeed {
  Ticket ticket = 0;
  Revision from;
};  ///< GET /v1/feed?from=…; replaces any open one
struct CloseFeed {};
/// Put in force after the compatibility check, and answer with PolicyApplied.
struct ApplyPolicy {
  std::string name, text;
  Revision revision;
};
struct ApplyReferenceValues {
  std::vector<ReferenceValueMessage> values;
};
/// New credentials for negotiation. An empty chain: keep the one there is.
struct UseMembership {
  std::vector<std::string> chain;
  std::string proof;
};
struct SetLease {
  Instant until;
};  ///< inter-machine traffic may pass until then
struct Remember {
  Revision revision;
};  ///< write to the state folder: never go back before it
struct MemberChanged {
  MemberEntry entry;
};
struct VmChanged {
  VmEntry entry;
};
struct CutPeer {
  HostName host;
  std::string reason;
};
struct CutVm {
  VmName vm;
  std::string reason;
};
struct CutAll {
  std::string reason;
};  ///< every association, now
struct Record {
  EventRow row;
};

using Action = std::variant<SendRegister, ActivateCredential, SendActivate, RequestChallenge,
                            MakeQuote, SendJoin, SendEvidence, SendAcknowledgement, OpenFeed,
                            CloseFeed, ApplyPolicy, ApplyReferenceValues, UseMembership, SetLease,
                            Remember, MemberChanged, VmChanged, CutPeer, CutVm, CutAll, Record>;
using Actions = std::vector<Action>;

}  // namespace shamon::member
