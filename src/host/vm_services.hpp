// DHCP, router advertisements and names for this machine's VMs (docs/vm-services.md). The gate
// hands up the frames by which VMs ask and gives them the answers; what a VM asks is read here,
// outside the trusted core.
#pragma once

#include <map>

#include "host/dns.hpp"
#include "net/event_loop.hpp"
#include "policy/compiled_policy.hpp"

namespace shamon {

/// The answer to one frame of the VM, as a frame. Nothing: there is none. Pure.
std::optional<Bytes> answer_vm_frame(ByteView frame, ServedVm const& vm, DnsZone const& zone);

/// A router advertisement nobody asked for, to all nodes.
Bytes make_unasked_advertisement(ServedVm const& vm, std::string const& domain);

/// Is told of a VM somewhere in the coalition that runs.
using VmVisitor = std::function<void(VmName const& name, LabelName const& label, Ipv4 address,
                                     MacAddress const& mac)>;
/// What is answered of one port in a second, whatever number of workers hands questions up.
inline constexpr unsigned kVmQuestionsPerSecond = 50;

/// Who is known, and the policy that says who may know whom.
struct VmServicesSource {
  std::function<std::optional<ServedVm>(PortId)> served;  ///< the VM of this machine at that port
  std::function<std::vector<PortId>()> ports;
  std::function<void(VmVisitor const&)> for_each_known;
  std::function<CompiledPolicy const&()> policy;
};

/// What one VM may know: itself, and whom its label may reach on at least one service
/// (decide_some_flow). Two visible VMs whose names differ by letter case only have no name. The
/// source must outlive the zone.
DnsZone make_dns_zone(ServedVm const& vm, VmServicesSource const& source);

class VmServices {
 public:
  VmServices(EventLoop& loop, VmServicesSource source);
  ~VmServices();
  VmServices(VmServices const&) = delete;
  VmServices& operator=(VmServices const&) = delete;

  /// A new socket pair; its other end is for the gate (GateClient::attach_services). Ends the one
  /// before. Errors: `system`.
  Result<UniqueFd> open();

 private:
  void close();
  void receive();
  void answer(PortId port, ByteView frame);
  void send(PortId port, ByteView frame);
  void advertise();

  EventLoop& loop_;
  VmServicesSource source_;
  UniqueFd socket_;
  std::optional<EventLoop::TimerId> timer_;
  struct Asked {
    Instant since;
    unsigned questions = 0;
  };
  std::map<PortId, Asked> asked_;  ///< how often in this second; as many as there are ports
};

}  // namespace shamon
