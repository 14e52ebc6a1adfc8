// The VMs of this machine: verified, started, given their port, challenged, stopped.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "attestation/appraisal.hpp"
#include "attestation/tpm.hpp"
#include "coalition/messages/common.hpp"
#include "host/agent_channel.hpp"
#include "host/gate_link.hpp"
#include "host/journal.hpp"
#include "monitor/monitor.hpp"
#include "policy/document.hpp"
#include "vm/driver.hpp"

namespace shamon {

/// PCRs of a guest's quote: 10, where IMA extends.
inline constexpr std::uint32_t kVmPcrMask = 1u << 10;
/// What a VM's evidence must show, to its own monitor as to a peer's: an IMA log of known files.
inline AppraisalPolicy vm_appraisal_policy() {
  AppraisalPolicy policy;
  policy.require_ima = true;
  policy.check_ima_files = true;
  return policy;
}

/// Leaves room for outer IPv4, UDP, ESP header, IV, ICV and padding.
inline constexpr std::uint16_t kPortMtu = 1420;

/// One VM as the manager holds it.
struct ManagedVm {
  VmSpec spec;
  std::string state = "defined";  ///< defined verified running suspended stopped revoked failed
  std::string reason;
  std::unique_ptr<VmHandle> handle;
  std::unique_ptr<AgentChannel> agent;
  PortId port{};
  std::optional<AttestationKey> ak;  ///< the key this monitor put into its vTPM
  AppraisalMemory memory;            ///< of this monitor's own challenges
  std::uint64_t challenges_passed = 0;
};

class VmManager {
 public:
  struct Handlers {
    std::function<void(ManagedVm const&)> on_changed;  ///< state differs: tell the authority
    /// Before a VM that ran is stopped, suspended or cut off: what it shares must end.
    std::function<void(VmName const&, std::string const& why)> on_releasing;
    std::function<guest::AnswerFrame(ManagedVm const&, guest::QueryFrame const&)> on_query;
  };
  VmManager(EventLoop& loop, Monitor& monitor, Journal& journal, GateLink& gate,
            std::string swtpm_config, Handlers handlers);
  ~VmManager();

  void define(VmSpec spec, TapQueues& taps);
  /// What a VM's label, as configured here, is called in the policy in force.
  using LabelTranslator = std::function<Result<LabelName>(LabelName const& configured)>;
  /// Starts every defined VM whose image the policy admits and whose digests are trusted; each in
  /// a thread, because making a vTPM takes a second. From then on a VM has its translated label.
  void start_all(std::shared_ptr<PolicyDocument const> document, ReferenceValues const& reference,
                 LabelTranslator const& translate);
  void stop(VmName const& vm, std::string const& state, std::string const& reason);
  /// Takes the VM's port and revokes it; the VM itself stays, cut off, for whoever investigates.
  void isolate(VmName const& vm, std::string const& reason);
  Status suspend(VmName const& vm);
  Status resume(VmName const& vm);

  ManagedVm* find(VmName const& vm);
  std::vector<VmEntry> entries(HostName const& host) const;
  void challenge(VmName const& vm, Challenge const& challenge, AgentChannel::Evidenced done);
  void for_each(std::function<void(ManagedVm&)> const& visit);

 private:
  void start(ManagedVm& vm, std::shared_ptr<PolicyDocument const> const& document,
             ReferenceValues reference);
  /// The decision, once the image is verified or not; where it is no the VM has failed.
  std::optional<Permit<VmStart>> decide_start(VmName const& name, LabelId label,
                                              Status const& verified);
  void start_domain(ManagedVm& vm, LabelId label);
  void started(VmName const& name, Result<std::unique_ptr<VmHandle>> handle,
               std::optional<AttestationKey> ak);
  void set_state(ManagedVm& vm, std::string state, std::string reason);

  EventLoop& loop_;
  Monitor& monitor_;
  Journal& journal_;
  GateLink& gate_;
  Handlers handlers_;
  std::shared_ptr<std::map<VmName, AttestationKey>> provisioned_;
  std::shared_ptr<std::mutex> provisioned_mutex_;
  std::unique_ptr<Driver> qemu_;
  std::unique_ptr<Driver> domain_;
  TapQueues taps_;
  std::map<VmName, ManagedVm> vms_;
  std::vector<std::thread> starting_;
  std::atomic<bool> ending_ = false;
  std::uint32_t next_port_ = 1;
};

}  // namespace shamon
