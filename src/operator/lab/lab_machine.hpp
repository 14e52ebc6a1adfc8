// One machine of the laboratory: its TPM, its measured boot, its gate and its host monitor.
#pragma once

#include <map>

#include "measurement/reference_values.hpp"
#include "operator/lab/lab_network.hpp"

namespace shamon {

/// Makes a folder, its parents too, and gives it to a user. Errors: `system`.
Status make_owned_folder(std::string const& path, unsigned mode, unsigned uid);

/// Paths of one machine below the laboratory's folder.
struct MachinePaths {
  std::string root, bin, etc, state, run, log, tpm;
  std::string tcti() const { return "swtpm:path=" + run + "/tpm.sock"; }
  std::string event_log() const { return state + "/event.log"; }
  std::string own_policy() const { return etc + "/own.policy"; }
};
MachinePaths machine_paths(LabState const& state, std::string const& machine);

/// What a measured boot of a machine would find if nobody had altered it.
class LabMachineRoom {
 public:
  LabMachineRoom(LabSpec const& spec, LabState& state, std::string program_folder);

  /// The EK certificate authority of this laboratory: made on the spot. Roots: ek_root_path().
  Status make_endorser();
  std::string ek_root_path() const;
  std::string ek_issuer_path() const;

  /// Copies binaries, writes configuration, makes the TPM. Nothing runs yet.
  Status prepare(LabMachine const& machine);
  /// Adds the digests of a good machine's components to `out`, before anything is altered.
  Status reference_values(LabMachine const& machine, std::vector<ReferenceValue>& out) const;
  /// Alters a component's binary in this machine's own copy: behaviour stays, the digest does not.
  Status tamper(std::string const& machine, std::string const& component);
  /// The boot stage: TPM on, firmware stand-in and every component measured, then gate and monitor
  /// started. This root of trust is software and says so.
  Status boot(LabMachine const& machine, LabTaps const& taps);
  /// Measures a component's binary as it is now, as a service manager with measured starts does
  /// before it runs one.
  Status measure_again(LabMachine const& machine, std::string const& component);

 private:
  Status measure_boot(LabMachine const& machine);
  Status start_tpm(LabMachine const& machine);
  Status start_gate(LabMachine const& machine);
  Status start_monitor(LabMachine const& machine, LabTaps const& taps);
  std::string monitor_config(LabMachine const& machine) const;
  std::string gate_config(LabMachine const& machine) const;
  std::vector<std::string> gate_arguments(LabMachine const& machine) const;
  unsigned uid_of(LabMachine const& machine) const;
  std::vector<std::pair<std::string, std::string>> measured_files(LabMachine const& machine) const;

  LabSpec const& spec_;
  LabState& state_;
  std::string programs_;
};

}  // namespace shamon
