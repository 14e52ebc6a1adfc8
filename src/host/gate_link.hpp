// The host monitor's hold on its gate: connects, keeps the gate's state equal to what is wanted
// here, and does so again after either of the two was restarted.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/journal.hpp"
#include "monitor/monitor.hpp"
#include "net/event_loop.hpp"
#include "tunnel/gate_client.hpp"

namespace shamon {

/// A VM's port as it is to be attached; the descriptor is kept so that a restarted gate gets it
/// again.
struct PortRecord {
  PortId id;
  VmName vm;
  LabelName label;
  Ipv4 address;
  MacAddress mac;
  gate::PortKind kind = gate::PortKind::datagram;
  std::uint16_t mtu = 1420;
  std::vector<UniqueFd> descriptors;
};

struct RemoteRoute {
  Ipv4 address;
  VmName vm;
  LabelName label;
  HostName peer;
};

/// What is known of one association, also for a while after its end.
struct AssociationRecord {
  AssociationId id;
  HostName peer;
  LabelName label;
  Revision revision;
  AeadAlgorithm algorithm = AeadAlgorithm::encr_aes_gcm_16_256;
  bool open = true;
  /// No negotiation stands behind it (its connection was lost, or an earlier life of this monitor
  /// opened it): it is closed then, unless it was replaced.
  std::optional<Instant> unwatched_until;
  std::string reason;   ///< why it was closed
  Instant closed_at{};  ///< when the gate confirmed the end
  gate::Statistics statistics{};
};

inline constexpr std::size_t kClosedAssociationsKept = 100;
/// For associations that an earlier life of this monitor left in the gate: to attest, join and
/// negotiate anew. The lease, which only a member has, bounds their traffic besides.
inline constexpr Duration kInheritedLife = std::chrono::seconds(10);

class GateLink {
 public:
  struct Handlers {
    std::function<void()> on_ready;  ///< connected, and the gate holds our policy, ports and routes
    std::function<void()> on_lost;
    std::function<void(HostName const&, LabelName const&)> on_association_wanted;
    std::function<void(HostName const&, LabelName const&)> on_rekey_wanted;
    std::function<void(AssociationRecord const&)> on_association_ended;
    std::function<void(gate::Audit const&)> on_audit;
    /// The gate has stopped a port by itself, and why.
    std::function<void(PortId, std::string const&)> on_port_fault;
    /// The gate's answer to open_share().
    std::function<void(ChannelId, Status const&)> on_share_answered;
    std::function<void(gate::ShareState const&)> on_share_reported;
    std::function<void(gate::ShareEnded const&)> on_share_ended;
    /// Is this port, which an earlier life of this monitor attached, to be attached again?
    std::function<bool(PortId, VmName const&)> will_attach;
    /// The gate's end of a new socket for its VMs' questions (VmServices::open).
    std::function<Result<UniqueFd>()> open_services;
  };
  GateLink(EventLoop& loop, Monitor& monitor, Journal& journal, std::string socket_path,
           Handlers handlers);
  ~GateLink();

  void start();
  bool connected() const noexcept { return client_.has_value() && synchronised_; }

  /// The policy now in force; the permit stays here for a gate that restarts.
  void set_policy(Permit<PolicyLoad> permit, std::shared_ptr<CompiledPolicy const> policy);
  void attach(PortRecord port);
  void detach(PortId port);
  /// True for a port of an earlier life of this monitor, which attach() will renew.
  bool inherits(PortId port) const { return inherited_ports_.contains(port); }
  /// All routes there are.
  void set_routes(std::vector<RemoteRoute> routes);
  void set_lease(Instant until);
  /// Errors: `denied` with the monitor's reason, `unreachable` without a gate.
  Result<AssociationId> open_association(AssociationSpec spec, AssociationKeys keys);
  void close_association(AssociationId id, gate::CloseReason reason, std::string const& text);
  void close_where(std::function<bool(AssociationRecord const&)> const& matches,
                   gate::CloseReason reason, std::string const& text);
  /// Opens a channel, hands a side its view, closes it. Errors: `unreachable` without a gate.
  Status open_share(SharePermits permits, ShareSpec const& spec);
  Status join_share(ChannelId channel, gate::ShareSide side, gate::ShareView view, UniqueFd socket);
  void close_share(ChannelId channel);
  /// From now on nobody watches this association's peer.
  void leave_association(AssociationId id, Instant until);
  std::vector<AssociationRecord> associations() const;
  Instant lease() const noexcept { return lease_; }
  /// Of the gate: lanes an association needs, queues a TAP may have.
  unsigned workers() const noexcept { return workers_; }

 private:
  void connect();
  void lose(std::string const& why);
  void receive();
  void handle(GateClient::Event const& event);
  void synchronise();
  void ask_statistics();
  void inherit(gate::State const& state);
  void send_routes();
  void send_port(PortRecord const& port);
  void answer_share(std::uint32_t sequence, Status const& status);
  void retire(AssociationId id, Instant at);
  void note(Result<std::uint32_t> const& sent, std::string what);

  EventLoop& loop_;
  Monitor& monitor_;
  Journal& journal_;
  std::string path_;
  Handlers handlers_;
  std::optional<GateClient> client_;
  bool synchronised_ = false;
  std::vector<gate::State> reported_;
  std::optional<Permit<PolicyLoad>> policy_permit_;
  std::shared_ptr<CompiledPolicy const> policy_;
  std::map<PortId, PortRecord> ports_;
  std::set<PortId> inherited_ports_;
  std::map<std::uint32_t, RemoteRoute> routes_;
  bool routes_known_ = false;
  std::map<AssociationId, AssociationRecord> associations_;
  std::map<std::uint32_t, std::string> awaited_;  ///< sequence -> what Done or Refused answers
  std::map<std::uint32_t, AssociationId> closing_;
  std::map<std::uint32_t, ChannelId> opening_shares_;
  Instant lease_{};
  std::uint32_t next_association_ = 1;
  unsigned workers_ = 1;
  EventLoop::TimerId statistics_timer_{};
};

}  // namespace shamon
