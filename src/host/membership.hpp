// Drives the member machine: its actions become requests, quotes and timers; answers become events.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "attestation/tpm.hpp"
#include "coalition/member.hpp"
#include "host/host_config.hpp"
#include "host/journal.hpp"
#include "host/tpm_worker.hpp"
#include "net/http.hpp"

namespace shamon {

/// What is current: for negotiation with peers.
struct MembershipCredentials {
  std::vector<Certificate> chain;
  std::string proof;  ///< EAR as JWT
};

class Membership {
 public:
  struct Handlers {
    /// Calls `done` once the policy is in force, or with the reason why it is not.
    std::function<void(std::string const& name, std::string const& text, Revision,
                       std::function<void(Status)> done)>
        apply_policy;
    std::function<void(std::vector<ReferenceValueMessage> const&)> apply_reference_values;
    std::function<void(MembershipCredentials const&)> use_credentials;
    std::function<void(Instant)> set_lease;
    std::function<void()> directory_changed;
    std::function<void(HostName const&, std::string const& reason)> cut_peer;
    std::function<void(VmName const&, std::string const& reason)> cut_vm;
    std::function<void(std::string const& reason)> cut_all;
  };
  Membership(EventLoop& loop, TpmWorker& tpm, Journal& journal, HostConfig const& config,
             PrivateKey tls_key, std::vector<Certificate> authority_ca, Handlers handlers);
  ~Membership();

  void start(AttestationKey ak);
  Member const& member() const noexcept { return member_; }
  PrivateKey const& tls_key() const noexcept { return tls_key_; }
  MembershipCredentials const& credentials() const noexcept { return credentials_; }
  /// Tells the authority; sent again when the membership is renewed, so nothing is lost meanwhile.
  void report_vm(VmEntry const& vm);
  void report_failure(FailureReport report);
  /// Evidence of this machine for `challenge`, whose nonce is the whole qualifying data.
  void make_evidence(Challenge const& challenge, std::function<void(Result<Evidence>)> done);

 private:
  void deliver(member::Event event);
  void perform(member::Action const& action);
  void arm_timer();
  /// We as `identity`; the authority under its address and one of its roots.
  Result<std::shared_ptr<TlsContext const>> tls_to_authority(TlsIdentity identity) const;
  void send_register(member::Ticket ticket);
  void open_feed(member::OpenFeed const& action);
  void use_membership(member::UseMembership const& action);
  void send_reports();
  /// Posts `request`, decodes the answer, delivers Event{ticket, answer}.
  template <class Event, class Reply, class Request>
  void exchange(HttpClient& client, std::string const& path, Request const& request,
                member::Ticket ticket);

  EventLoop& loop_;
  TpmWorker& tpm_;
  Journal& journal_;
  HostConfig const& config_;
  PrivateKey tls_key_;
  std::vector<Certificate> authority_ca_;
  Handlers handlers_;
  Member member_;
  AttestationKey ak_;
  KeyType ek_type_ = KeyType::rsa;  ///< of the EK we registered with
  MembershipCredentials credentials_;
  std::unique_ptr<HttpClient> stranger_;   ///< before membership
  std::unique_ptr<HttpClient> as_member_;  ///< with the membership certificate; the feed too
  std::shared_ptr<void> feed_;
  member::Ticket feed_ticket_ = 0;
  std::map<VmName, VmEntry> vm_reports_;  ///< latest state of each, until acknowledged
  std::deque<member::Event> queue_;
  bool delivering_ = false;
  std::optional<EventLoop::TimerId> timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

/// The AK of this machine: from the state folder, or made now and kept there wrapped by the TPM.
Result<AttestationKey> load_or_create_ak(Tpm& tpm, std::string const& state_folder);
/// Last revision remembered in the state folder; 0 if none. A damaged file is an error: going back
/// would be a rollback.
Result<Revision> load_revision(std::string const& state_folder);

}  // namespace shamon
