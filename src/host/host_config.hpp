// What /etc/shamon/shamond.toml says.
#pragma once

#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "crypto/aead_algorithm.hpp"
#include "vm/driver.hpp"

namespace shamon {

struct HostConfig {
  HostName name;
  std::string platform, location;   ///< claims, appraised by the authority
  std::string machine_policy_path;  ///< united with the coalition's policy; empty: none
  std::string state_folder;         ///< 0700: keys, audit trail, VM state
  std::string socket_folder;  ///< shamond.sock (everybody), shamond-admin.sock (own user and root)
  Endpoint control;           ///< where peers negotiate (TCP/TLS)
  Endpoint tunnel;            ///< where the gate listens (UDP); told to peers
  std::string tpm_tcti;
  std::string event_log_path;         ///< TCG log that boot wrote; policy loads are appended
  std::string ima_log_path;           ///< empty: this machine has no IMA
  std::string ek_intermediates_path;  ///< PEM; empty: none
  Endpoint authority;
  std::string authority_ca_path;  ///< PEM
  std::string gate_socket;
  std::string swtpm_config;     ///< for the VMs' vTPMs; empty: no EK certificate
  std::string demand = "both";  ///< proof of a peer: "authority", "direct" or "both"
  /// What this machine will do for ESP of all that the coalition allows.
  std::vector<AeadAlgorithm> ciphers;
  bool extended_sequence = true;  ///< ESN; without it other tools can check a capture
  std::vector<VmSpec> vms;        ///< started once the policy is in force
};

/// Errors: `malformed`, every problem with file:line:column.
Result<HostConfig> read_host_config(std::string const& path);

}  // namespace shamon
