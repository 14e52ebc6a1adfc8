// The gate: ports on one side, the underlay on the other, the host monitor above. One thread, one
// epoll loop. The packet path is forwarder.hpp; this is its driver.
#pragma once

#include "monitor/monitor.hpp"
#include "tunnel/control_server.hpp"
#include "tunnel/forwarder.hpp"
#include "tunnel/underlay.hpp"

namespace shamon {

class Gate {
 public:
  static Result<std::unique_ptr<Gate>> create(Underlay underlay, std::uint16_t underlay_mtu,
                                              ControlServer control);
  Gate(Gate const&) = delete;
  Gate& operator=(Gate const&) = delete;

  /// Runs until `stop` becomes readable. Errors: `system` if the loop itself fails.
  Status run(int stop);

 private:
  Gate(Underlay underlay, std::uint16_t underlay_mtu, ControlServer control, UniqueFd epoll);

  // The loop.
  Status watch(int fd, std::uint64_t tag, std::uint32_t events, bool fresh) noexcept;
  void dispatch(std::uint64_t tag, std::uint32_t events);
  void port_turn(Port& port, std::uint32_t events);
  void underlay_turn();
  void control_turn(std::uint32_t events);
  void accept_client();
  void tick(Instant now);
  void remove_port(Port& port, std::string_view fault);

  // Commands, in gate_commands.cpp. Each answers with its effect or the reason against it.
  void execute(ControlServer::Command command);
  Status run_command(gate::Header const& header, ControlServer::Command& command);
  Status hello(gate::Hello const& message);
  Status load_policy(gate::PolicyLoad const& message, UniqueFd image);
  Status attach_port(gate::PortAttach const& message, UniqueFd descriptor);
  Status detach_port(gate::PortDetach const& message);
  Status open_association(gate::AssociationOpen const& message);
  Status close_association(gate::AssociationClose const& message);
  Status set_route(gate::RouteSet const& message);
  Status drop_route(gate::RouteDrop const& message);
  void report_statistics(std::uint32_t sequence);
  void end_association(AssociationId id, gate::CloseReason reason, std::uint32_t sequence);
  void relabel();
  void want_association(HostName const& peer, LabelName const& label, PathId path, Instant now);

  LabelId label_id(LabelName const& label) const;

  Underlay underlay_;
  ControlServer control_;
  UniqueFd epoll_;
  bool greeted_ = false;
  bool control_writable_watched_ = false;

  AuditTrail trail_;
  Monitor monitor_;
  PortTable ports_;
  AssociationTable associations_;
  RouteTable routes_;
  Forwarder forwarder_;
  Counters closed_;                                    ///< of ports and associations that are gone
  std::unordered_map<std::uint32_t, Instant> wanted_;  ///< by PathId: when it was asked last
  std::vector<std::uint8_t> port_buffer_;
  Instant next_tick_;
  Instant next_tell_;
};

}  // namespace shamon
