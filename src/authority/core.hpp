// The authority as a pure state machine: messages and time in, answers and things to send out.
// Knows no socket and no clock; its store and its source of randomness are given to it.
//
//   registered ─challenge→ challenged ─join→ refused | active ⇄ suspect → revoked
//   active:  good evidence: stays; bad evidence: revoked (attestation); silence: suspect, then
//            revoked (silence); an operator's word: revoked (operators); policy: revoked (policy)
//   revoked: a new join with good evidence leads back, except against an operator's word.
#pragma once

#include <map>
#include <set>
#include <unordered_map>
#include <variant>

#include "attestation/appraisal.hpp"
#include "authority/answer.hpp"
#include "authority/limits.hpp"
#include "authority/store.hpp"
#include "authority/trust_facts.hpp"
#include "coalition/limits.hpp"
#include "coalition/messages/join.hpp"
#include "coalition/messages/operator.hpp"
#include "coalition/messages/registration.hpp"
#include "coalition/messages/status.hpp"
#include "crypto/aead_algorithm.hpp"
#include "crypto/x509.hpp"
#include "policy/membership.hpp"
#include "policy/source.hpp"

namespace shamon {

struct AuthorityOptions {
  CoalitionName coalition;
  std::vector<Certificate> endorser_roots;
  /// EKs (SHA-256 of their SPKI, hex) an operator approved without a certificate.
  std::set<std::string> approved_eks;
  AppraisalPolicy appraisal;  ///< at least one required component
  std::uint32_t pcr_mask = 0xffff;
  Duration heartbeat = std::chrono::seconds(1);
  Duration lease = std::chrono::seconds(3);
  Duration challenge_period = std::chrono::seconds(3);
  Duration challenge_timeout = std::chrono::seconds(3);  ///< unanswered so long: suspect
  Duration unreachable_after = std::chrono::seconds(9);  ///< unanswered so long: revoked
  Duration membership = std::chrono::minutes(10);        ///< life of a membership certificate
  std::vector<AeadAlgorithm> ciphers = every_aead_algorithm();  ///< for ESP, the preferred first
  std::function<Bytes(std::size_t)> random;
};

/// What the authority signs with.
struct AuthorityKeys {
  Certificate ca;
  PrivateKey ca_key;
  PrivateKey status_key;
};

/// What the service must do now: send a change to all members, a challenge to one, note an event.
using AuthorityOutput = std::variant<StatusChange, FeedChallenge, EventRow>;

class AuthorityCore {
 public:
  /// Takes up what the store holds. Errors: `invalid` options or policy, the store's.
  static Result<std::unique_ptr<AuthorityCore>> create(AuthorityOptions options, AuthorityKeys keys,
                                                       Store& store, WallTime now);

  // Registration and joining: from anybody, with the TPM's word.
  Answer<RegisterChallenge> register_host(RegisterRequest const& request, WallTime now);
  Answer<Registered> activate(ActivateRequest const& request, WallTime now);
  Answer<ChallengeMessage> challenge(ChallengeRequest const& request, WallTime now);
  Answer<JoinAccepted> join(JoinRequest const& request, WallTime now);

  // From members, whose names the service took from their certificates.
  /// The member this certificate belongs to, if it may speak now. A suspect may.
  Answer<HostName> authenticate(Certificate const& certificate, WallTime now);
  Answer<EvidenceAccepted> evidence(EvidenceRequest const& request, WallTime now);
  Answer<Revision> acknowledge(Acknowledgement const& request, WallTime now);
  Answer<Revision> report_vm(VmReport const& report, WallTime now);
  Answer<Revision> report_failure(FailureReport const& report, WallTime now);
  void set_connected(HostName const& host, bool connected, WallTime now);

  // From operators.
  Answer<Revision> revoke_host(HostName const& host, std::string const& reason, WallTime now);
  Answer<Revision> revoke_vm(VmName const& vm, std::string const& reason, WallTime now);
  /// Takes back an operator's revocation: the machine may join again.
  Answer<Revision> reinstate_host(HostName const& host, WallTime now);
  Answer<Revision> set_policy(PolicyMessage const& policy, WallTime now);
  Answer<Revision> set_reference_values(std::vector<ReferenceValueMessage> values, bool replace,
                                        WallTime now);

  AuthorityStatus status() const;
  HostList hosts() const;
  Answer<HostRow> host(HostName const& name) const;
  VmList vms() const;
  PolicyMessage const& policy() const noexcept { return policy_; }
  std::vector<ReferenceValueMessage> const& reference_values() const noexcept { return values_; }
  Explanation explain_host(HostName const& name) const;
  Explanation explain_vm(VmName const& name) const;  // core_explain.cpp
  Revision revision() const noexcept { return revision_; }
  AuthorityOptions const& options() const noexcept { return options_; }
  TrustFacts const& trust() const noexcept { return trust_; }

  /// Lets time pass: challenges members whose turn it is, and judges silence.
  void tick(WallTime now);
  /// False once a change could not be stored. Then nothing may be said to be current any more.
  bool healthy() const noexcept { return healthy_; }
  /// How many appraisals ended how: {"accepted" | "refused", rule}.
  std::map<std::pair<std::string, std::string>, std::uint64_t> const& appraisals() const noexcept {
    return appraisals_;
  }
  /// From the latest revocation until the last member acknowledged it.
  std::optional<Duration> last_propagation() const noexcept { return last_propagation_; }
  /// When tick() has something to do next.
  WallTime next_deadline() const;
  std::vector<AuthorityOutput> take_outputs() { return std::exchange(outputs_, {}); }

 private:
  struct PendingRegistration {
    RegisterRequest request;
    std::string ek_fingerprint, source;
    Bytes secret;
    WallTime until;
  };
  struct PendingChallenge {
    ChallengeMessage challenge;
    WallTime until;
    AppraisalMemory memory;  ///< what the challenge builds on
  };
  struct Member {
    HostRecord record;
    // Vectors: they are short and mostly empty, and an empty deque holds half a kilobyte.
    std::vector<PendingChallenge> joins;       ///< asked for by /v1/challenge
    std::vector<PendingChallenge> challenges;  ///< sent through the feed
    AppraisalMemory memory;
    WallTime silent_since{};       ///< the first unanswered challenge; 0: none
    WallTime next_challenge{};     ///< 0: none, it is no member
    WallTime deadline{};           ///< when tick() looks at it; 0: never
    WallTime certificate_until{};  ///< of the one it was seen with last
    bool attested = false;         ///< by this process: its facts stand in the trust engine
    Revision acknowledged;
    bool connected = false;
  };

  AuthorityCore(AuthorityOptions options, AuthorityKeys keys, Store& store);
  Status load(WallTime now);

  // core_registration.cpp
  Answer<std::string> endorse(RegisterRequest const& request, TpmPublicArea const& ek,
                              std::string const& fingerprint, WallTime now) const;
  Answer<bool> check_binding(HostName const& host, std::string const& fingerprint) const;

  // core_join.cpp
  struct Verdict {
    AppraisalResult appraisal;
    std::vector<FindingMessage> findings;  ///< empty iff accepted
    std::string summary;
    bool accepted() const noexcept { return findings.empty(); }
  };
  Verdict judge(Member& member, EvidenceMessage const& evidence, PendingChallenge const& challenge,
                Bytes const& qualifying, WallTime now);
  Duration proof_life(MembershipDecision const& decision) const;
  bool update_fits(Member const& member, WallTime now, std::string& why);
  ChallengeMessage make_challenge(Member const& member) const;
  Result<std::vector<std::string>> issue_membership(Member& member, WallTime now) const;
  Result<std::string> issue_ear(Member const& member, AppraisalResult const& result,
                                WallTime now) const;
  Answer<JoinAccepted> accept(Member& member, JoinRequest const& request, Verdict const& verdict,
                              WallTime now);
  Refusal refuse_join(Member& member, Verdict const& verdict, WallTime now);

  // core_members.cpp
  void revoke(Member& member, RevokedBy by, std::string const& reason,
              std::vector<FindingMessage> findings, WallTime now);
  void send_challenge(Member& member, WallTime now);
  void set_deadline(Member& member);
  void revoke_those_without_proof(RevokedBy by, std::string const& reason, WallTime now);
  void judge_silence(Member& member, WallTime now);
  Result<Revision> commit(StoreBatch batch, WallTime now);
  StatusChange change(ChangeKind kind, WallTime now) const;
  void note(std::string kind, std::string subject, std::string text, WallTime now,
            std::vector<FindingMessage> findings = {});
  Member* find(HostName const& host);
  Member const* find(HostName const& host) const;
  HostRow to_row(Member const& member) const;

  // core_operator.cpp
  void use_policy(PolicyMessage policy, PolicyBuild build);
  void use_reference_values(std::vector<ReferenceValueMessage> values);
  std::vector<ReferenceValueMessage> with_policy_values(PolicyMessage const& policy,
                                                        CompiledPolicy const& compiled) const;

  AuthorityOptions options_;
  AuthorityKeys keys_;
  Store& store_;
  TrustFacts trust_;
  Revision revision_;
  Revision policy_since_;  ///< revision of the feed that brought the policy in force
  PolicyMessage policy_;
  std::shared_ptr<PolicyDocument const> document_;
  std::optional<CompiledPolicy> compiled_;
  std::vector<ReferenceValueMessage> values_;
  ReferenceValues reference_;
  std::map<HostName, Member> members_;
  std::map<std::string, HostName> by_ek_;
  std::map<VmName, VmEntry> vms_;
  std::map<std::string, PendingRegistration> registrations_;
  std::set<std::pair<WallTime, HostName>> deadlines_;
  std::vector<AuthorityOutput> outputs_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> appraisals_;
  bool healthy_ = true;
  WallTime started_{};
  WallTime now_{};  ///< of the latest call
  struct Propagation {
    Revision revision;
    WallTime began;
  };
  std::optional<Propagation> propagating_;
  std::optional<Duration> last_propagation_;
};

}  // namespace shamon
