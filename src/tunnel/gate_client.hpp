// The host monitor's end of the gate's control socket.
#pragma once

#include <functional>
#include <memory>
#include <variant>

#include "base/fd.hpp"
#include "base/secret.hpp"
#include "monitor/permit.hpp"
#include "policy/compiled_policy.hpp"
#include "tunnel/association_spec.hpp"
#include "tunnel/gate_control.hpp"
#include "tunnel/share_spec.hpp"

namespace shamon {

class GateClient {
 public:
  using Event = std::variant<gate::State, gate::StateEnd, gate::Done, gate::Refused, gate::Audit,
                             gate::AssociationWanted, gate::RekeyWanted, gate::AssociationEnded,
                             gate::PortFault, gate::Statistics, gate::StatisticsEnd,
                             gate::ShareState, gate::ShareEnded>;
  static Result<GateClient> connect(std::string const& socket_path);
  GateClient(GateClient&&) noexcept;
  GateClient& operator=(GateClient&&) noexcept;
  ~GateClient();

  int fd() const noexcept;  ///< readable: call receive()
  /// One event, or nothing if none waits. Errors: `unreachable` when the gate is gone.
  Result<std::optional<Event>> receive();

  // Each returns the sequence number that Done or Refused will carry.
  Result<std::uint32_t> load_policy(Permit<PolicyLoad> const& permit, CompiledPolicy const& policy);
  Result<std::uint32_t> attach_port(Permit<PortAttach>&& permit, gate::PortKind kind,
                                    LabelName const& label, MacAddress mac, std::uint16_t mtu,
                                    std::span<UniqueFd const> descriptors);
  Result<std::uint32_t> detach_port(PortId port);
  Result<std::uint32_t> open_association(Permit<AssociationOpen>&& permit,
                                         AssociationSpec const& spec, AssociationKeys&& keys);
  Result<std::uint32_t> close_association(Permit<AssociationClose>&& permit,
                                          gate::CloseReason reason);
  Result<std::uint32_t> set_route(Ipv4 address, VmName const& vm, LabelName const& label,
                                  HostName const& peer);
  Result<std::uint32_t> drop_route(Ipv4 address);
  /// The routes set since connect() are all there are: the gate forgets those of others.
  Result<std::uint32_t> routes_are_whole();
  Result<std::uint32_t> set_lease(Instant until);
  /// `socket` as gate::ServiceAttach says; it stays the caller's.
  Result<std::uint32_t> attach_services(UniqueFd const& socket);
  Result<std::uint32_t> request_statistics();
  /// Errors beside those of sending: `denied` if the permits are for another channel.
  Result<std::uint32_t> open_share(SharePermits&& permits, ShareSpec const& spec);
  /// `socket`: the gate's end of a connected SOCK_STREAM pair.
  Result<std::uint32_t> join_share(ChannelId channel, gate::ShareSide side, gate::ShareView view,
                                   UniqueFd socket);
  Result<std::uint32_t> close_share(ChannelId channel);

 private:
  struct State;
  std::unique_ptr<State> state_;
  explicit GateClient(std::unique_ptr<State> state) noexcept;
};

}  // namespace shamon
