// The host monitor of one machine: joins membership, policy, gate, VMs and negotiations. What each
// of them learns is told to the others here, and nowhere else.
#pragma once

#include <memory>

#include "host/bridges.hpp"
#include "host/channels.hpp"
#include "host/local_api.hpp"
#include "host/machine_policy.hpp"
#include "host/vm_services.hpp"
#include "policy/source.hpp"

namespace shamon {

class HostMonitor {
 public:
  /// Reads keys and certificates. Errors name the file. `taps`: descriptors of domains' ports.
  static Result<std::unique_ptr<HostMonitor>> create(EventLoop& loop, HostConfig config,
                                                     TapQueues taps);
  ~HostMonitor();
  Status start();

 private:
  HostMonitor(EventLoop& loop, HostConfig config, std::vector<Certificate> authority_ca,
              PrivateKey tls_key, AuditLog log, MachinePolicy machine_policy);

  Membership::Handlers membership_handlers();
  GateLink::Handlers gate_handlers();
  void port_stopped(PortId port, std::string const& why);
  VmManager::Handlers vm_handlers();
  LocalApiSource api_source();
  VmServicesSource services_source();

  void apply_policy(std::string const& name, std::string const& text, Revision revision,
                    std::function<void(Status)> done);
  Status put_in_force(MachinePolicy::Combined combined, Digest const& digest);
  void apply_reference_values(std::vector<ReferenceValueMessage> const& values);
  /// Running VMs of other machines that are members.
  void for_each_remote(std::function<void(VmEntry const&)> const& visit) const;
  void update_routes();
  void cut_vm(VmName const& vm, std::string const& reason,
              std::vector<FindingMessage> const& findings);
  void set_lease(Instant until);
  void check_lease();
  void tick_journal();
  void challenge_own_vms();
  void judge_own_vm(ManagedVm& vm, Challenge const& challenge, Result<Evidence> const& evidence);
  void start_vms_when_ready();
  guest::AnswerFrame answer_guest(ManagedVm const& vm, guest::QueryFrame const& query);
  Explanation explain(std::string const& from, std::string const& to, std::string const& service);
  Explanation explain_share(std::string const& owner, std::string const& user);
  HostStatus status() const;

  EventLoop& loop_;
  HostConfig config_;
  std::vector<Certificate> authority_ca_;
  Journal journal_;
  Monitor monitor_;
  std::uint32_t gate_lost_told_ = 0;  ///< of the gate's lost audit records, those in the journal
  ReferenceValues reference_;
  MachinePolicy machine_policy_;
  bool machine_policy_measured_ = false;
  std::optional<MachinePolicy::Combined> combined_;  ///< in force
  std::shared_ptr<PolicyDocument const> document_;
  std::optional<Digest> policy_digest_;
  GateLink gate_;
  VmManager vms_;
  Channels channels_;
  TpmWorker tpm_;
  Membership membership_;
  Bridges bridges_;
  LocalApi api_;
  VmServices services_;
  Instant lease_until_{};
  bool lease_held_ = false;
  std::optional<EventLoop::TimerId> lease_timer_;
  bool vms_started_ = false;
};

}  // namespace shamon
