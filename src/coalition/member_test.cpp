// Every row of the member's transition table, every reason not to extend a lease, and a storm of
// reordered, doubled and lost feed events that must change neither rule.
#include "coalition/member.hpp"

#include <algorithm>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coalition/limits.hpp"

namespace shamon {
namespace {

using namespace member;

Refusal refusal(char const* code) {
  Refusal out;
  out.code = code;
  out.message = std::string("because ") + code;
  return out;
}

/// A member, its clock and the key of its authority.
class MemberTest : public testing::Test {
 protected:
  static PrivateKey const& key() {
    static PrivateKey const one = *PrivateKey::generate(KeyType::ecdsa_p256);
    return one;
  }

  Actions on(Event const& event) {
    actions_ = member_.on(event, now_, wall_);
    for (Action const& action : actions_) {
      if (auto const* a = std::get_if<SendRegister>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<ActivateCredential>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<SendActivate>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<RequestChallenge>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<MakeQuote>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<SendJoin>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<SendEvidence>(&action)) ticket_ = a->ticket;
      if (auto const* a = std::get_if<OpenFeed>(&action)) {
        feed_ = a->ticket;
        opened_ = true;
      }
      if (auto const* a = std::get_if<SendAcknowledgement>(&action)) acknowledge_ = a->ticket;
    }
    return actions_;
  }
  template <class T>
  T const* find() const {
    for (Action const& action : actions_) {
      if (auto const* found = std::get_if<T>(&action)) return found;
    }
    return nullptr;
  }
  bool recorded(std::string_view kind) const {
    return std::any_of(actions_.begin(), actions_.end(), [&](Action const& action) {
      auto const* record = std::get_if<Record>(&action);
      return record != nullptr && record->row.kind == kind;
    });
  }
  void pass(Duration time) {
    now_ = now_ + time;
    wall_ = wall_ + time;
  }
  void run_to_deadline() {
    ASSERT_TRUE(member_.next_deadline());
    if (*member_.next_deadline() > now_) pass(*member_.next_deadline() - now_);
    // The wall clock is in milliseconds; never be a fraction early.
    on(Timer{});
  }

  ChallengeMessage challenge() const {
    ChallengeMessage out;
    out.nonce = Bytes(32, 9);
    out.pcr_mask = 0xffff;
    return out;
  }
  JoinAccepted acceptance() const {
    JoinAccepted out;
    out.host = HostName("shype1");
    out.coalition = CoalitionName("lab");
    out.revision = revision_;
    out.policy_revision = Revision(3);
    out.policy_name = "lab.policy";
    out.policy_text = "coalition lab";
    out.membership_chain = {"pem"};
    out.proof = "ear";
    MemberEntry peer;
    peer.host = HostName("shype2");
    peer.state = "active";
    out.members = {peer};
    VmEntry vm;
    vm.vm = VmName("client");
    vm.label = LabelName("green");
    vm.host = HostName("shype2");
    vm.address = {0x0a000102};
    vm.state = "running";
    out.vms = {vm};
    out.status_key = key().public_key().spki_der();
    return out;
  }

  void to_challenged() {
    on(Start{});
    on(RegisterAnswer{ticket_, RegisterChallenge{"r1", {1}, {2}}});
    on(SecretReady{ticket_, Bytes{3}});
    on(ActivateAnswer{ticket_, Registered{HostName("shype1"), "ab"}});
    on(ChallengeAnswer{ticket_, challenge()});
  }
  void to_accepted() {
    to_challenged();
    on(QuoteReady{ticket_, EvidenceMessage{}});
    on(JoinAnswer{ticket_, acceptance()});
    on(PolicyApplied{Revision(3), {}});
  }
  void to_active() {
    to_accepted();
    beat();
    ASSERT_EQ(member_.state(), MemberState::active);
  }

  Heartbeat heartbeat() {
    Heartbeat out;
    out.revision = revision_;
    out.time = wall_;
    out.sequence = ++sequence_;
    out.lease_ms = 3000;
    return out;
  }
  Actions feed(Heartbeat const& h) {
    return on(FeedEvent{feed_, "heartbeat", *write_feed_heartbeat(h, key())});
  }
  Actions feed(StatusChange const& c) {
    return on(FeedEvent{feed_, "change", *write_feed_change(c, key())});
  }
  Actions feed(FeedChallenge const& c) {
    return on(FeedEvent{feed_, "challenge", *write_feed_challenge(c, key())});
  }
  Actions beat() {
    pass(std::chrono::seconds(1));
    return feed(heartbeat());
  }
  StatusChange change(ChangeKind kind, std::string const& host = "shype2") {
    StatusChange out;
    revision_ = Revision(revision_.value() + 1);
    out.revision = revision_;
    out.time = wall_;
    out.kind = kind;
    out.text = "because";
    bool const about_vm = kind == ChangeKind::vm_changed || kind == ChangeKind::vm_revoked;
    if (about_vm) {
      VmEntry vm;
      vm.vm = VmName("client");
      vm.host = HostName(host);
      vm.state = "stopped";
      out.vm = vm;
    } else {
      MemberEntry member;
      member.host = HostName(host);
      out.member = member;
    }
    return out;
  }

  Instant now_{1'000'000'000};
  WallTime wall_{1'795'296'605'000};
  Revision revision_{10};
  std::uint64_t sequence_ = 0;
  Ticket ticket_ = 0, feed_ = 0, acknowledge_ = 0;
  bool opened_ = false;
  Actions actions_;
  Member member_{MemberConfig{HostName("shype1"), Bytes(91, 5), Revision(4), 1}};
};

TEST_F(MemberTest, RegistersThenJoinsThenFollows) {
  on(Start{});
  EXPECT_NE(find<SendRegister>(), nullptr);
  EXPECT_EQ(member_.state(), MemberState::unknown);
  on(RegisterAnswer{ticket_, RegisterChallenge{"r1", {1}, {2}}});
  ASSERT_NE(find<ActivateCredential>(), nullptr);
  EXPECT_EQ(find<ActivateCredential>()->id_object, Bytes{1});
  on(SecretReady{ticket_, Bytes{3}});
  ASSERT_NE(find<SendActivate>(), nullptr);
  EXPECT_EQ(find<SendActivate>()->request.id, "r1");
  EXPECT_EQ(find<SendActivate>()->request.secret, Bytes{3});
  on(ActivateAnswer{ticket_, Registered{HostName("shype1"), "ab"}});
  EXPECT_EQ(member_.state(), MemberState::registered);
  EXPECT_NE(find<RequestChallenge>(), nullptr);
  on(ChallengeAnswer{ticket_, challenge()});
  EXPECT_EQ(member_.state(), MemberState::challenged);
  ASSERT_NE(find<MakeQuote>(), nullptr);
  EXPECT_EQ(find<MakeQuote>()->qualifying_data, join_qualifying_data(Bytes(32, 9), Bytes(91, 5)));
  on(QuoteReady{ticket_, EvidenceMessage{}});
  ASSERT_NE(find<SendJoin>(), nullptr);
  EXPECT_EQ(find<SendJoin>()->request.nonce, Bytes(32, 9));
  on(JoinAnswer{ticket_, acceptance()});
  EXPECT_EQ(member_.state(), MemberState::accepted);
  EXPECT_EQ(find<OpenFeed>(), nullptr) << "not before the policy is in force";
  ASSERT_NE(find<ApplyPolicy>(), nullptr);
  ASSERT_NE(find<Remember>(), nullptr);
  EXPECT_EQ(find<SetLease>(), nullptr);
  on(PolicyApplied{Revision(3), {}});
  ASSERT_NE(find<OpenFeed>(), nullptr);
  EXPECT_EQ(find<OpenFeed>()->from, Revision(10));
  ASSERT_NE(find<SendAcknowledgement>(), nullptr);
  EXPECT_EQ(find<SendAcknowledgement>()->revision, Revision(10));
  beat();
  EXPECT_EQ(member_.state(), MemberState::active);
  ASSERT_NE(find<SetLease>(), nullptr);
  EXPECT_EQ(find<SetLease>()->until, now_ + std::chrono::seconds(3));
  EXPECT_NE(member_.directory().vm_at({0x0a000102}), nullptr);
}

TEST_F(MemberTest, ARefusedJoinIsTriedAgainAndNeverActs) {
  to_challenged();
  on(QuoteReady{ticket_, EvidenceMessage{}});
  Refusal why = refusal("attestation_failed");
  why.findings.push_back(
      FindingMessage{"component_untrusted", "shamon-gate", 1, "aa", {"bb"}, "x"});
  on(JoinAnswer{ticket_, tl::unexpected<Refusal>(why)});
  EXPECT_EQ(member_.state(), MemberState::refused);
  EXPECT_EQ(member_.findings().size(), 1u);
  EXPECT_TRUE(recorded("refused"));
  EXPECT_EQ(find<OpenFeed>(), nullptr);
  run_to_deadline();
  EXPECT_NE(find<RequestChallenge>(), nullptr);
  on(ChallengeAnswer{ticket_, challenge()});
  EXPECT_EQ(member_.state(), MemberState::challenged);
}

TEST_F(MemberTest, AnOutageIsRetriedWithLongerAndLongerWaits) {
  on(Start{});
  Duration last{};
  for (int i = 0; i < 12; ++i) {
    on(RegisterAnswer{ticket_, tl::unexpected<Refusal>(refusal("unreachable"))});
    EXPECT_EQ(recorded("unreachable"), i == 0) << "said once";
    Duration const wait = *member_.next_deadline() - now_;
    EXPECT_GE(wait, kJoinRetryFirst / 2);
    EXPECT_LE(wait, kJoinRetryMost);
    last = wait;
    run_to_deadline();
    EXPECT_NE(find<SendRegister>(), nullptr);
  }
  EXPECT_GE(last, kJoinRetryMost / 2);
  EXPECT_EQ(member_.state(), MemberState::unknown);
}

TEST_F(MemberTest, SilenceAtEachStepOfTheWayInIsATimeout) {
  on(Start{});
  run_to_deadline();  // the request timed out
  run_to_deadline();  // the wait ended
  EXPECT_NE(find<SendRegister>(), nullptr);
  Ticket const late = ticket_ - 1;
  on(RegisterAnswer{late, RegisterChallenge{}});
  EXPECT_TRUE(actions_.empty()) << "an answer to a question given up";
  on(RegisterAnswer{ticket_, RegisterChallenge{"r1", {1}, {2}}});
  on(SecretReady{ticket_, Bytes{3}});
  on(ActivateAnswer{ticket_, Registered{HostName("shype1"), "ab"}});
  run_to_deadline();
  run_to_deadline();
  EXPECT_NE(find<RequestChallenge>(), nullptr) << "registered already";
  on(ChallengeAnswer{ticket_, challenge()});
  run_to_deadline();
  run_to_deadline();
  EXPECT_NE(find<RequestChallenge>(), nullptr) << "a nonce is used once";
}

TEST_F(MemberTest, AnAuthorityThatForgotUsIsToldWhoWeAre) {
  to_challenged();
  run_to_deadline();
  run_to_deadline();
  on(ChallengeAnswer{ticket_, tl::unexpected<Refusal>(refusal("not_found"))});
  run_to_deadline();
  EXPECT_NE(find<SendRegister>(), nullptr);
}

struct AcceptanceRow {
  char const* name;
  void (*spoil)(JoinAccepted&);
};

TEST_F(MemberTest, AnAcceptanceThatCannotBeOneIsRefused) {
  AcceptanceRow const rows[] = {
      {"another host", [](JoinAccepted& a) { a.host = HostName("shype2"); }},
      {"an older revision than we remember", [](JoinAccepted& a) { a.revision = Revision(3); }},
      {"no status key", [](JoinAccepted& a) { a.status_key.clear(); }},
      {"a lease too short", [](JoinAccepted& a) { a.lease_ms = kLeaseMin_ms - 1; }},
      {"a lease too long", [](JoinAccepted& a) { a.lease_ms = kLeaseMax_ms + 1; }},
      {"no heartbeat", [](JoinAccepted& a) { a.heartbeat_ms = 0; }},
      {"a heartbeat longer than the lease", [](JoinAccepted& a) { a.heartbeat_ms = 3001; }},
  };
  to_challenged();
  for (AcceptanceRow const& row : rows) {
    SCOPED_TRACE(row.name);
    on(QuoteReady{ticket_, EvidenceMessage{}});
    JoinAccepted accepted = acceptance();
    row.spoil(accepted);
    on(JoinAnswer{ticket_, accepted});
    EXPECT_EQ(member_.state(), MemberState::refused);
    EXPECT_EQ(find<ApplyPolicy>(), nullptr);
    run_to_deadline();
    on(ChallengeAnswer{ticket_, challenge()});
  }
  on(QuoteReady{ticket_, EvidenceMessage{}});
  JoinAccepted oldest = acceptance();
  oldest.revision = Revision(4);
  on(JoinAnswer{ticket_, oldest});
  EXPECT_EQ(member_.state(), MemberState::accepted) << "the very revision we remember is fine";
}

TEST_F(MemberTest, APolicyThatIsNotInForceMeansNoLease) {
  to_challenged();
  on(QuoteReady{ticket_, EvidenceMessage{}});
  on(JoinAnswer{ticket_, acceptance()});
  on(PolicyApplied{Revision(3), fail(Errc::conflict, "not compatible")});
  EXPECT_EQ(member_.state(), MemberState::refused);
  EXPECT_TRUE(recorded("policy_refused"));
  EXPECT_EQ(find<OpenFeed>(), nullptr);
}

TEST_F(MemberTest, ANewPolicyStopsTheLeaseUntilItIsInForceAndIsThenAcknowledged) {
  to_active();
  on(AcknowledgeAnswer{acknowledge_, true});
  StatusChange policy = change(ChangeKind::policy_changed);
  policy.member.reset();
  policy.policy_revision = Revision(4);
  policy.policy_text = "coalition lab …";
  feed(policy);
  ASSERT_NE(find<ApplyPolicy>(), nullptr);
  EXPECT_EQ(find<SendAcknowledgement>(), nullptr);
  beat();
  EXPECT_EQ(find<SetLease>(), nullptr);
  on(PolicyApplied{Revision(3), {}});
  EXPECT_TRUE(actions_.empty()) << "that is not the one we wait for";
  on(PolicyApplied{Revision(4), {}});
  ASSERT_NE(find<SendAcknowledgement>(), nullptr);
  EXPECT_EQ(find<SendAcknowledgement>()->revision, Revision(11));
  beat();
  EXPECT_NE(find<SetLease>(), nullptr);
}

TEST_F(MemberTest, ANewPolicyThatCannotBeEnforcedCutsEverything) {
  to_active();
  StatusChange policy = change(ChangeKind::policy_changed);
  policy.policy_revision = Revision(4);
  feed(policy);
  on(PolicyApplied{Revision(4), fail(Errc::malformed, "1:1: what?")});
  EXPECT_NE(find<CutAll>(), nullptr);
  EXPECT_EQ(member_.state(), MemberState::suspect);
  beat();
  EXPECT_EQ(find<SetLease>(), nullptr);
}

TEST_F(MemberTest, TheLeaseEndsByItselfAndResumesWithAFreshHeartbeat) {
  to_active();
  pass(std::chrono::milliseconds(2999));
  on(Timer{});
  EXPECT_EQ(member_.state(), MemberState::active);
  pass(std::chrono::milliseconds(1));
  on(Timer{});
  EXPECT_EQ(member_.state(), MemberState::suspect);
  EXPECT_TRUE(recorded("lease_ended"));
  beat();
  EXPECT_EQ(member_.state(), MemberState::active);
  EXPECT_TRUE(recorded("lease_resumed"));
}

TEST_F(MemberTest, FollowsAgainFromItsRevisionWhenTheAuthorityComesBack) {
  to_active();
  on(FeedEnded{feed_, refusal("unreachable")});
  EXPECT_EQ(find<RequestChallenge>(), nullptr);
  for (int i = 0; i < 5; ++i) {
    while (find<OpenFeed>() == nullptr) run_to_deadline();
    EXPECT_EQ(find<OpenFeed>()->from, Revision(10));
    on(FeedEnded{feed_, refusal("unreachable")});
  }
  while (find<OpenFeed>() == nullptr) run_to_deadline();
  beat();
  EXPECT_EQ(member_.state(), MemberState::active);
}

TEST_F(MemberTest, JoinsAnewWhenTheFeedRefusesItsProof) {
  to_active();
  on(FeedEnded{feed_, refusal("stale")});
  EXPECT_NE(find<RequestChallenge>(), nullptr);
  on(ChallengeAnswer{ticket_, challenge()});
  on(QuoteReady{ticket_, EvidenceMessage{}});
  on(JoinAnswer{ticket_, acceptance()});
  on(PolicyApplied{Revision(3), {}});
  beat();
  EXPECT_EQ(member_.state(), MemberState::active);
}

TEST_F(MemberTest, ARefusalWhileJoiningAnewEndsTheLeaseAtOnce) {
  to_active();
  on(FeedEnded{feed_, refusal("stale")});
  on(ChallengeAnswer{ticket_, challenge()});
  on(QuoteReady{ticket_, EvidenceMessage{}});
  on(JoinAnswer{ticket_, tl::unexpected<Refusal>(refusal("attestation_failed"))});
  EXPECT_NE(find<CutAll>(), nullptr);
  ASSERT_NE(find<SetLease>(), nullptr);
  EXPECT_LE(find<SetLease>()->until, now_);
}

struct HeartbeatRow {
  char const* name;
  void (*spoil)(Heartbeat&);
  bool extends;
};

TEST_F(MemberTest, OnlyAFreshHeartbeatExtendsTheLease) {
  HeartbeatRow const rows[] = {
      {"as it should be", [](Heartbeat&) {}, true},
      {"the same sequence", [](Heartbeat& h) { h.sequence -= 1; }, false},
      {"the same time", [](Heartbeat& h) { h.time.unix_ms -= 1000; }, false},
      {"an older revision", [](Heartbeat& h) { h.revision = Revision(9); }, false},
      {"a later revision", [](Heartbeat& h) { h.revision = Revision(11); }, false},
      {"as far ahead as allowed", [](Heartbeat& h) { h.time.unix_ms += 3000 + 5000; }, true},
      {"further ahead", [](Heartbeat& h) { h.time.unix_ms += 3000 + 5001; }, false},
      {"the longest lease", [](Heartbeat& h) { h.lease_ms = kLeaseMax_ms; }, true},
      {"a longer lease", [](Heartbeat& h) { h.lease_ms = kLeaseMax_ms + 1; }, false},
      {"the shortest lease", [](Heartbeat& h) { h.lease_ms = kLeaseMin_ms; }, true},
      {"a shorter lease", [](Heartbeat& h) { h.lease_ms = kLeaseMin_ms - 1; }, false},
  };
  for (HeartbeatRow const& row : rows) {
    SCOPED_TRACE(row.name);
    member_ = Member(MemberConfig{HostName("shype1"), Bytes(91, 5), Revision(4), 1});
    to_active();
    pass(std::chrono::seconds(1));
    Heartbeat next = heartbeat();
    row.spoil(next);
    feed(next);
    EXPECT_EQ(find<SetLease>() != nullptr, row.extends);
  }
}

TEST_F(MemberTest, AHeartbeatFromThePastIsRefusedOnANewConnectionToo) {
  to_active();
  Heartbeat const old = heartbeat();
  beat();
  on(FeedEnded{feed_, refusal("unreachable")});
  while (find<OpenFeed>() == nullptr) run_to_deadline();
  feed(old);
  EXPECT_EQ(find<SetLease>(), nullptr);
  EXPECT_TRUE(recorded("heartbeat_refused"));
}

TEST_F(MemberTest, AHeartbeatTooFarBehindOurClockIsRefused) {
  to_accepted();
  pass(std::chrono::seconds(1));
  Heartbeat late = heartbeat();
  late.time.unix_ms -= 3000 + 5001;
  feed(late);
  EXPECT_EQ(find<SetLease>(), nullptr);
  Heartbeat just = heartbeat();
  just.time.unix_ms -= 3000 + 5000;
  feed(just);
  EXPECT_NE(find<SetLease>(), nullptr);
}

TEST_F(MemberTest, AStatementOfAnotherKeyIsIgnoredAndAfterThreeTheMemberJoinsAnew) {
  to_active();
  PrivateKey const other = *PrivateKey::generate(KeyType::ecdsa_p256);
  for (unsigned i = 0; i < kFeedFaultsMax; ++i) {
    pass(std::chrono::seconds(1));
    on(FeedEvent{feed_, "heartbeat", *write_feed_heartbeat(heartbeat(), other)});
    EXPECT_EQ(find<SetLease>(), nullptr);
    EXPECT_TRUE(recorded("feed_fault"));
    if (i + 1 == kFeedFaultsMax) break;
    while (find<OpenFeed>() == nullptr) run_to_deadline();
  }
  EXPECT_NE(find<RequestChallenge>(), nullptr);
}

TEST_F(MemberTest, AChangeSignedAsAHeartbeatIsNotOne) {
  to_active();
  on(FeedEvent{feed_, "change", *write_feed_heartbeat(heartbeat(), key())});
  EXPECT_TRUE(recorded("feed_fault"));
  EXPECT_EQ(member_.revision(), Revision(10));
}

TEST_F(MemberTest, EventsOfAConnectionGivenUpAreIgnored) {
  to_active();
  pass(std::chrono::seconds(1));
  on(FeedEvent{feed_ - 1, "heartbeat", *write_feed_heartbeat(heartbeat(), key())});
  EXPECT_TRUE(actions_.empty());
}

TEST_F(MemberTest, AGapReopensTheFeedAndIsNotApplied) {
  to_active();
  change(ChangeKind::member_revoked);  // lost
  feed(change(ChangeKind::member_joined, "shype3"));
  EXPECT_NE(find<CloseFeed>(), nullptr);
  EXPECT_EQ(find<MemberChanged>(), nullptr);
  EXPECT_EQ(member_.revision(), Revision(10));
  run_to_deadline();
  ASSERT_NE(find<OpenFeed>(), nullptr);
  EXPECT_EQ(find<OpenFeed>()->from, Revision(10));
}

TEST_F(MemberTest, AChangeIsAppliedOnce) {
  to_active();
  StatusChange const revoked = change(ChangeKind::member_revoked);
  feed(revoked);
  ASSERT_NE(find<CutPeer>(), nullptr);
  EXPECT_EQ(find<CutPeer>()->host, HostName("shype2"));
  EXPECT_EQ(member_.directory().member(HostName("shype2"))->state, "revoked");
  feed(revoked);
  EXPECT_EQ(find<CutPeer>(), nullptr);
  EXPECT_TRUE(recorded("feed_replay"));
}

struct ChangeRow {
  char const* name;
  ChangeKind kind;
  bool cuts_peer, cuts_vm;
};

TEST_F(MemberTest, ChangesAboutOthersCutWhatTheyDoubt) {
  ChangeRow const rows[] = {
      {"joined", ChangeKind::member_joined, false, false},
      {"revoked", ChangeKind::member_revoked, true, false},
      {"left", ChangeKind::member_left, true, false},
      {"suspect", ChangeKind::member_suspect, true, false},
      {"VM changed", ChangeKind::vm_changed, false, false},
      {"VM revoked", ChangeKind::vm_revoked, false, true},
  };
  to_active();
  for (ChangeRow const& row : rows) {
    SCOPED_TRACE(row.name);
    feed(change(row.kind));
    EXPECT_EQ(find<CutPeer>() != nullptr, row.cuts_peer);
    EXPECT_EQ(find<CutVm>() != nullptr, row.cuts_vm);
    EXPECT_EQ(member_.revision(), revision_);
    beat();
    EXPECT_NE(find<SetLease>(), nullptr);
  }
}

TEST_F(MemberTest, ItsOwnRevocationCutsAllAtOnceAndItActsOnlyOnceAcceptedAgain) {
  to_active();
  feed(change(ChangeKind::member_revoked, "shype1"));
  EXPECT_EQ(member_.state(), MemberState::revoked);
  EXPECT_NE(find<CutAll>(), nullptr);
  EXPECT_NE(find<CloseFeed>(), nullptr);
  ASSERT_NE(find<SetLease>(), nullptr);
  EXPECT_LE(find<SetLease>()->until, now_);
  feed(heartbeat());
  EXPECT_TRUE(actions_.empty());
  run_to_deadline();
  EXPECT_NE(find<RequestChallenge>(), nullptr) << "an administrator may have healed it";
  on(ChallengeAnswer{ticket_, challenge()});
  EXPECT_EQ(member_.state(), MemberState::revoked);
  on(QuoteReady{ticket_, EvidenceMessage{}});
  on(JoinAnswer{ticket_, tl::unexpected<Refusal>(refusal("attestation_failed"))});
  EXPECT_EQ(member_.state(), MemberState::revoked);
  run_to_deadline();
  on(ChallengeAnswer{ticket_, challenge()});
  on(QuoteReady{ticket_, EvidenceMessage{}});
  on(JoinAnswer{ticket_, acceptance()});
  EXPECT_EQ(member_.state(), MemberState::accepted);
}

TEST_F(MemberTest, ToldSuspectItStopsUntilItIsToldOtherwise) {
  to_active();
  feed(change(ChangeKind::member_suspect, "shype1"));
  EXPECT_EQ(member_.state(), MemberState::suspect);
  EXPECT_NE(find<CutAll>(), nullptr);
  beat();
  EXPECT_EQ(find<SetLease>(), nullptr);
  feed(change(ChangeKind::member_joined, "shype1"));
  beat();
  EXPECT_EQ(member_.state(), MemberState::active);
}

TEST_F(MemberTest, LeavesAndComesBackOnlyWhenAsked) {
  to_active();
  on(Leave{});
  EXPECT_EQ(member_.state(), MemberState::left);
  EXPECT_NE(find<CutAll>(), nullptr);
  EXPECT_FALSE(member_.next_deadline());
  on(Start{});
  EXPECT_TRUE(actions_.empty());
  on(Restart{});
  EXPECT_NE(find<SendRegister>(), nullptr);
}

TEST_F(MemberTest, AnswersTheAuthoritysChallengesAndUsesTheRenewedProof) {
  to_active();
  FeedChallenge ask;
  ask.host = HostName("shype1");
  ask.challenge = challenge();
  feed(ask);
  ASSERT_NE(find<MakeQuote>(), nullptr);
  EXPECT_EQ(find<MakeQuote>()->qualifying_data, ask.challenge.nonce);
  on(QuoteReady{ticket_, EvidenceMessage{}});
  ASSERT_NE(find<SendEvidence>(), nullptr);
  EXPECT_EQ(find<SendEvidence>()->request.nonce, ask.challenge.nonce);
  on(EvidenceAnswer{ticket_, EvidenceAccepted{Revision(10), "newer", {}}});
  ASSERT_NE(find<UseMembership>(), nullptr);
  EXPECT_EQ(find<UseMembership>()->proof, "newer");
  ask.host = HostName("shype2");
  feed(ask);
  EXPECT_EQ(find<MakeQuote>(), nullptr) << "for somebody else";
  ask.host = HostName("shype1");
  ask.challenge.nonce.resize(15);
  feed(ask);
  EXPECT_EQ(find<MakeQuote>(), nullptr) << "a nonce too short";
}

TEST_F(MemberTest, AcknowledgesAgainUntilItIsHeardAndOnlyTheLatest) {
  to_active();
  on(AcknowledgeAnswer{acknowledge_, false});
  feed(change(ChangeKind::member_joined, "shype3"));
  feed(change(ChangeKind::member_joined, "shype4"));
  EXPECT_EQ(find<SendAcknowledgement>(), nullptr) << "waits for its turn";
  while (find<SendAcknowledgement>() == nullptr) run_to_deadline();
  EXPECT_EQ(find<SendAcknowledgement>()->revision, Revision(12));
  on(AcknowledgeAnswer{acknowledge_, true});
  EXPECT_TRUE(actions_.empty());
}

TEST_F(MemberTest, AJoinAnewCutsWhoIsNoLongerThere) {
  to_active();
  on(FeedEnded{feed_, refusal("stale")});
  on(ChallengeAnswer{ticket_, challenge()});
  on(QuoteReady{ticket_, EvidenceMessage{}});
  JoinAccepted accepted = acceptance();
  accepted.members.clear();
  accepted.vms.clear();
  on(JoinAnswer{ticket_, accepted});
  ASSERT_NE(find<CutPeer>(), nullptr);
  EXPECT_NE(find<CutVm>(), nullptr);
}

/// Events in any order, doubled and lost: whatever comes, a change is applied once and in order,
/// and the lease never ends later than its last fresh heartbeat says.
TEST_F(MemberTest, NoOrderOfFeedEventsBreaksTheRules) {
  std::uint64_t const seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  to_active();
  std::vector<FeedEvent> pool;
  std::map<std::string, Heartbeat> heartbeats;
  std::uint64_t applied = revision_.value();
  Instant allowed = member_.lease_until();
  int leases = 0;
  for (int i = 0; i < 600; ++i) {
    pass(std::chrono::milliseconds(random() % 700));
    FeedEvent event;
    if (random() % 3 == 0) {
      StatusChange c =
          change(ChangeKind::member_joined, "shype" + std::to_string(2 + random() % 5));
      event = FeedEvent{0, "change", *write_feed_change(c, key())};
    } else {
      Heartbeat const h = heartbeat();
      event = FeedEvent{0, "heartbeat", *write_feed_heartbeat(h, key())};
      heartbeats[event.data] = h;
    }
    if (random() % 8 != 0) pool.push_back(event);  // else lost
    while (!pool.empty() && random() % 4 != 0) {
      std::size_t const pick = random() % 3 == 0 ? random() % pool.size() : pool.size() - 1;
      FeedEvent sent = pool[pick];
      if (random() % 5 != 0) pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(pick));
      sent.ticket = feed_;
      on(sent);
      for (Action const& action : actions_) {
        if (auto const* remember = std::get_if<Remember>(&action)) {
          ASSERT_EQ(remember->revision.value(), ++applied);
        }
        if (auto const* lease = std::get_if<SetLease>(&action)) {
          Heartbeat const& h = heartbeats.at(sent.data);
          ASSERT_EQ(h.revision.value(), applied);
          ASSERT_LE(std::abs(h.time.unix_ms - wall_.unix_ms), 3000 + kClockSkewMax_ms);
          ASSERT_EQ(lease->until, now_ + std::chrono::milliseconds(h.lease_ms));
          allowed = lease->until;
          ++leases;
          heartbeats.erase(sent.data);  // a second use of it would throw
        }
      }
      ASSERT_EQ(member_.revision().value(), applied);
      ASSERT_LE(member_.lease_until(), allowed);
    }
    while (member_.next_deadline() && *member_.next_deadline() <= now_) on(Timer{});
    if (member_.state() == MemberState::active) {
      ASSERT_LT(now_, allowed);
    }
    if (opened_) {  // the new connection begins with what comes after the member's revision
      opened_ = false;
      pool.clear();
      revision_ = member_.revision();
    }
  }
  EXPECT_GT(leases, 10) << "the storm must not hide the rule";
  EXPECT_GT(applied, 20u);
}

}  // namespace
}  // namespace shamon
