// Drives the negotiations with other hosts: TLS connections, quotes, appraisals, associations.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>

#include "coalition/bridge.hpp"
#include "host/gate_link.hpp"
#include "host/host_config.hpp"
#include "host/journal.hpp"
#include "host/membership.hpp"
#include "host/refused_connections.hpp"
#include "host/vm_manager.hpp"
#include "measurement/reference_values.hpp"
#include "net/tls_stream.hpp"

namespace shamon {

inline constexpr std::size_t kBridgesMax = 1024;

class Bridges {
 public:
  struct Parts {
    EventLoop& loop;
    Journal& journal;
    Monitor& monitor;
    GateLink& gate;
    VmManager& vms;
    Membership& membership;
    HostConfig const& config;
    ReferenceValues const& reference;
    std::vector<Certificate> const& authority_ca;
  };
  explicit Bridges(Parts parts);
  ~Bridges();

  /// New membership credentials: the listener starts or takes the new certificate.
  void use_credentials(MembershipCredentials const& credentials);
  /// Negotiates an association, unless one is open or under way.
  void want(HostName const& peer, LabelName const& label);
  void rekey(HostName const& peer, LabelName const& label);
  /// Ends what matches, now.
  void close_peer(HostName const& peer, std::string const& reason);
  void close_label(HostName const& peer, LabelName const& label, std::string const& reason);
  void close_all_of_label(LabelName const& label, std::string const& reason);
  void close_all(std::string const& reason);
  void policy_changed(Revision revision);
  /// The gate says this association is gone (lost gate, expiry).
  void association_ended(AssociationRecord const& record);
  /// Starts to look after associations whose peers nobody watches: negotiates them anew as soon as
  /// that is possible, and closes them when their time is up. Ends by itself.
  void tend_unwatched();

 private:
  struct Link;
  using LinkPtr = std::shared_ptr<Link>;
  struct Performer;

  LinkPtr add_link(BridgeRole role, std::shared_ptr<FrameConnection> connection, HostName peer,
                   LabelName label);
  void deliver(LinkPtr const& link, bridge::Event event);
  /// Its handshake is done: on with whom the certificate names.
  void identified(LinkPtr const& link);
  void arm(LinkPtr const& link);
  void remove(LinkPtr const& link);
  bool may_associate(HostName const& peer, LabelName const& label);
  bool is_wanted(HostName const& peer, LabelName const& label) const;
  bool runs(LabelName const& label);
  void tend();
  void open_association(LinkPtr const& link, bridge::OpenAssociation& action);
  void close_association(LinkPtr const& link, bridge::CloseAssociation const& action);
  void leave_association(LinkPtr const& link, bridge::LeaveAssociation const& action);
  void close_unwatched(HostName const& peer, LabelName const& label, std::string const& reason);
  BridgeChallenge prepare_challenge(LinkPtr const& link);
  void answer(LinkPtr const& link, bridge::AnswerNeeded const& action);
  Status verify_proof(bridge::VerifyProof const& action) const;
  bridge::AppraisalVerdict appraise_host(LinkPtr const& link, bridge::Appraise const& action);
  bridge::AppraisalVerdict appraise_vm(LinkPtr const& link, bridge::AppraiseVm const& action);
  void close_where(std::function<bool(Link const&)> const& matches, std::string const& reason);
  std::uint32_t new_spi();

  Parts parts_;
  RefusedConnections refused_;
  std::list<LinkPtr> links_;
  std::unique_ptr<FrameListener> listener_;
  std::shared_ptr<TlsContext const> tls_;
  std::string proof_;
  std::optional<EventLoop::TimerId> tending_;
};

/// The host named in a membership certificate (URI shamon://COALITION/host/NAME). Errors:
/// `untrusted`.
Result<HostName> host_of_certificate(Certificate const& certificate,
                                     CoalitionName const& coalition);

}  // namespace shamon
