// The life of a host as a member of a coalition. Knows no socket, no clock, no TPM; the daemon, the
// simulator and the fuzz target are its drivers.
//
//  state       event                                   next        actions
//  unknown     start                                   unknown     register
//  unknown     credential activated, authority agrees  registered  request a challenge
//  registered  challenge                               challenged  make a quote, join
//  challenged  accepted                                accepted    policy, credentials, directory
//  challenged  refused                                 refused     try again later
//  refused     challenge                               challenged  make a quote, join
//  accepted    policy in force                         accepted    open the feed, acknowledge
//  accepted    fresh heartbeat                         active      set the lease
//  active      lease ended, or own suspect change      suspect     (cut all if told suspect)
//  suspect     fresh heartbeat, not told suspect       active      set the lease
//  any         own revocation                          revoked     cut all, close the feed, lease 0
//  revoked     challenge (later, or operator)          challenged  make a quote, join
//  any         operator leaves                         left        cut all, close the feed, lease 0
//  left        operator restarts                       unknown     register
//
// A lease is extended only by a heartbeat that is signed, later in sequence and time than every one
// before, near our clock, and about the very revision we have applied.
#pragma once

#include <optional>

#include "coalition/directory.hpp"
#include "coalition/feed.hpp"
#include "coalition/member_events.hpp"

namespace shamon {

enum class MemberState : std::uint8_t {
  unknown,
  registered,
  challenged,
  refused,
  accepted,
  active,
  suspect,
  revoked,
  left,
};
char const* to_string(MemberState state) noexcept;

struct MemberConfig {
  HostName host;
  Bytes tls_public;        ///< SPKI of the key the membership certificate is for
  Revision last_revision;  ///< as last remembered; 0 on the first start
  std::uint64_t seed = 0;  ///< for the jitter of retries; random in a daemon
};

class Member {
 public:
  explicit Member(MemberConfig config);

  member::Actions on(member::Event const& event, Instant now, WallTime wall);

  MemberState state() const noexcept { return state_; }
  /// When to call on(Timer); none: nothing is waited for.
  std::optional<Instant> next_deadline() const noexcept;
  Directory const& directory() const noexcept { return directory_; }
  Revision revision() const noexcept { return order_.revision(); }
  Revision policy_revision() const noexcept { return policy_revision_; }
  /// Until when traffic may pass; the past if not at all.
  Instant lease_until() const noexcept { return lease_until_; }
  /// Why this host is refused, suspect or revoked, for people.
  std::string const& reason() const noexcept { return reason_; }
  std::vector<FindingMessage> const& findings() const noexcept { return findings_; }
  /// What the last acceptance said; none before the first.
  std::optional<JoinAccepted> const& acceptance() const noexcept { return acceptance_; }

 private:
  /// What the way in is waiting for. `waiting`: for retry_at_; `done`: nothing, the member is in.
  enum class Step : std::uint8_t {
    idle,
    registering,
    activating_tpm,
    activating,
    challenging,
    quoting,
    joining,
    applying,
    waiting,
    done,
  };
  enum class Entry : std::uint8_t { registration, challenge };

  // member.cpp: the way in.
  void on_event(member::Start const& event);
  void on_event(member::Restart const& event);
  void on_event(member::Leave const& event);
  void on_event(member::Timer const& event);
  void on_event(member::RegisterAnswer const& event);
  void on_event(member::SecretReady const& event);
  void on_event(member::ActivateAnswer const& event);
  void on_event(member::ChallengeAnswer const& event);
  void on_event(member::QuoteReady const& event);
  void on_event(member::JoinAnswer const& event);
  void on_event(member::PolicyApplied const& event);
  void begin(Entry entry);
  void retry_later(Entry entry, Refusal const& why);
  void enter_refused(Refusal const& why);
  std::optional<Refusal> judge_acceptance(JoinAccepted const& accepted);
  void accept(JoinAccepted const& accepted);
  member::Ticket expect(Step step, Duration timeout);
  bool answers(Step step, member::Ticket ticket) const noexcept;

  // member_feed.cpp: following.
  void on_event(member::FeedEvent const& event);
  void on_event(member::FeedEnded const& event);
  void on_event(member::EvidenceAnswer const& event);
  void on_event(member::AcknowledgeAnswer const& event);
  void on_statement(StatusChange const& change);
  void on_statement(Heartbeat const& heartbeat);
  void on_statement(FeedChallenge const& challenge);
  void apply(StatusChange const& change);
  void apply_member(StatusChange const& change);
  void apply_self(StatusChange const& change);
  void on_own_quote(member::QuoteReady const& event);
  void open_feed();
  void close_feed();
  void reopen_feed_later();
  void end_lease(char const* kind, std::string text);
  void acknowledge();
  bool following() const noexcept { return step_ == Step::done; }
  void check_feed_deadlines();

  void act(member::Action action) { actions_.push_back(std::move(action)); }
  void record(char const* kind, std::string text, std::string object = {},
              std::vector<FindingMessage> findings = {});
  Duration back_off(unsigned attempt, Duration first, Duration most);

  MemberConfig config_;
  MemberState state_ = MemberState::unknown;
  Step step_ = Step::idle;
  Entry retry_entry_ = Entry::registration;
  member::Ticket next_ticket_ = 1;
  member::Ticket step_ticket_ = 0;
  Instant step_until_;  ///< time-out of the step, or when `waiting` ends
  unsigned failures_ = 0;
  std::string registration_id_;
  Bytes join_nonce_;

  std::optional<JoinAccepted> acceptance_;
  std::optional<PublicKey> status_key_;
  FeedOrder order_;
  Directory directory_;
  Revision policy_revision_;
  std::optional<Revision> policy_pending_;  ///< handed out by ApplyPolicy, not answered yet
  bool policy_refused_ = false;
  bool told_suspect_ = false;

  bool feed_open_ = false;
  member::Ticket feed_ticket_ = 0;
  std::optional<Instant> feed_until_;  ///< open: silence becomes a reason to reopen; else reopen
  unsigned feed_failures_ = 0;
  unsigned feed_faults_ = 0;  ///< statements in a row that did not verify
  Instant lease_until_;
  bool lease_held_ = false;

  member::Ticket evidence_ticket_ = 0;  ///< of the quote or the answer under way; 0: none
  Bytes evidence_nonce_;
  Instant evidence_until_;
  Revision acknowledged_;
  member::Ticket acknowledge_ticket_ = 0;
  Revision acknowledging_;
  std::optional<Instant> acknowledge_at_;  ///< time-out or retry
  unsigned acknowledge_failures_ = 0;

  std::uint64_t random_state_;
  std::string reason_;
  std::vector<FindingMessage> findings_;

  // Of the call of on() that is running.
  member::Actions actions_;
  Instant now_;
  WallTime wall_;
};

}  // namespace shamon
