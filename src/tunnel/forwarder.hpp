// The packet path: every packet between two VMs is a straight line through this file, and no line
// reaches an effect without a permit.
//
//   port -> classify -> flow_out permit -> port                         (both VMs here)
//   port -> classify -> flow_out permit -> association -> seal -> wire  (the other VM is remote)
//   wire -> association -> open -> classify -> flow_in permit -> port
//
// Single-threaded; time comes in with every call.
#pragma once

#include <functional>
#include <set>

#include "tunnel/association_table.hpp"
#include "tunnel/flow_permits.hpp"
#include "tunnel/port.hpp"
#include "tunnel/route_table.hpp"
#include "tunnel/sealer.hpp"

namespace shamon {

/// The gate's own address on every port. Locally administered; each port is a link of two.
inline constexpr MacAddress kGateMac{{0x02, 0x53, 0x48, 0x41, 0x4d, 0x4e}};

class Forwarder {
 public:
  /// What the packet path asks of the rest of the gate.
  struct Outside {
    Sealer::Send send;
    std::function<void(HostName const& peer, LabelName const& label, PathId path, Instant now)>
        association_wanted;
    std::function<void(Port& port)> port_closed;  ///< called at the end of a turn
    /// Hands a frame up, or counts it; false where nobody serves.
    std::function<bool(Port& port, std::span<std::uint8_t> frame, Instant now)> serve;
    WallTime (*wall_clock)() noexcept = nullptr;
  };
  Forwarder(Monitor& monitor, AuditTrail& trail, PortTable& ports, AssociationTable& associations,
            RouteTable& routes, Outside outside);

  void copy_dscp(bool copy) noexcept { sealer_.copy_dscp(copy); }
  /// The largest inner packet that fits the underlay.
  void set_tunnel_mtu(std::uint16_t mtu) noexcept { tunnel_mtu_ = mtu; }
  /// No packet passes between machines at or after this instant.
  void set_lease(Instant until) noexcept { lease_until_ = until; }

  /// One frame of a VM. The port's batch goes out with end_of_turn().
  void from_port(Port& port, PortDriver::Frame frame, Instant now);
  /// A frame of the host monitor's services for the VM at that port.
  void from_services(Port& port, std::span<std::uint8_t> frame);
  /// A run of datagrams from the underlay.
  void from_underlay(Underlay::Run const& run, Instant now);
  /// Sends what is collected: call it before packet memory is used again and before any command.
  void end_of_turn(Instant now);
  /// Tells folded refusals; call it every kAuditFold.
  void tell_repeats(Instant now);

  /// What no port and no association can be blamed for, and the sum of nothing else.
  Counters& stray() noexcept { return stray_; }

 private:
  /// One packet of a VM with all that is known of it.
  struct Outgoing {
    Port& port;
    IpPacket packet;
    Offload offload;
    std::size_t count;  ///< packets it stands for
    Instant now;
  };
  struct Opened {
    Inbound* inbound;
    std::uint64_t sequence;
    std::uint8_t outer_ecn;
    ExtendedAad aad;
  };

  void answer_arp(Port& port, ByteView payload, Instant now);
  /// What a VM says to its link of two; only questions for a neighbour have an answer.
  void answer_neighbour(Port& port, ByteView packet);
  /// Gives the VM a packet of the gate's own.
  void tell(Port& port, std::uint16_t ether_type, std::span<std::uint8_t> payload);
  void forward(Outgoing& out);
  /// The permit for a packet to the VM of that label; without one the packet is counted.
  Permit<FlowOut> const* ask(Outgoing& out, VmName const& vm, LabelName const& label,
                             LabelId label_id);
  void forward_local(Outgoing& out, Port& to);
  void forward_remote(Outgoing& out, Route const& route);
  /// Lowers the MSS of a SYN; answers a packet that is too big (RFC 1191) and counts it.
  bool fits_mtu(Outgoing& out, std::uint16_t mtu);
  void pass_to_port(Permit<FlowOut> const& permit, Outgoing& out, Port& to);
  void pass_to_association(Permit<FlowOut> const& permit, Outgoing& out, Association& association);

  void open_batch(Instant now);
  /// Opens what is collected, a sample first.
  void open_jobs(Inbound& inbound) noexcept;
  void receive(Association& association, std::span<std::uint8_t> payload, std::uint8_t outer_ecn,
               Instant now);
  void refuse_source(Association& association, IpPacket const& packet, Instant now);
  void pass_inward(Permit<FlowIn> const& permit, Port& to, IpPacket const& packet, Instant now);

  void refuse_spoof(Port& port, IpPacket const* packet, Instant now);
  void deliver_chain(Port& port, Instant now);
  /// Sends parts[2..], which stand for `count` packets, with the headers that go in front.
  void deliver(Port& port, IpPacket const& packet, Offload const& offload, std::span<iovec> parts,
               std::size_t count, Instant now);
  bool send_frame(Port& port, VnetHeader const& header, std::span<iovec> parts);

  Monitor& monitor_;
  AuditTrail& trail_;
  PortTable& ports_;
  AssociationTable& associations_;
  RouteTable& routes_;
  Outside outside_;
  FlowPermits<FlowOut> out_permits_;
  FlowPermits<FlowIn> in_permits_;
  Sealer sealer_;
  Counters stray_;
  std::uint16_t tunnel_mtu_ = esp_inner_mtu(1500);
  Instant lease_until_;

  std::array<AeadJob, kBatchPackets> jobs_;
  std::array<Opened, kBatchPackets> opened_{};
  std::size_t job_count_ = 0;
  std::vector<Port*> waiting_;  ///< ports with a chain to deliver
  std::set<Port*> closed_;
  std::vector<std::uint8_t> segment_memory_;
  std::map<AssociationId, FoldedAudit> foreign_sources_;
};

}  // namespace shamon
