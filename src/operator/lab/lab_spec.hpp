// What a laboratory file (lab.toml) says.
#pragma once

#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "crypto/aead_algorithm.hpp"

namespace shamon {

struct LabMachine {
  HostName name;
  Ipv4 address;          ///< underlay
  std::string location;  ///< claim, checked by `member host when location in …`
  /// Component whose binary is altered before boot, "shamon-gate" or "shamond"; empty: none.
  std::string tampered;
  std::string machine_policy;  ///< its own policy, resolved against the file's folder; empty: none
};

struct LabVm {
  VmName name;
  HostName machine;
  LabelName label;
  std::string kind;   ///< "qemu" or "domain"
  std::string image;  ///< below the images folder
  Ipv4 address;       ///< in the VMs' network
  unsigned memory_mb = 192;
  std::string nic = "socket";  ///< "socket" or "vhost-user"
  unsigned processors = 1;
  unsigned queues = 0;  ///< pairs of a vhost-user card; 0: as many as shamond finds right
};

struct LabSpec {
  std::string name;
  CoalitionName coalition;
  std::string policy_path;  ///< resolved against the file's folder
  std::string images_folder;
  Ipv4 authority_address;
  std::uint8_t underlay_prefix = 24;
  std::uint8_t vm_prefix = 16;
  std::uint64_t heartbeat_ms = 1000;
  std::uint64_t lease_ms = 3000;
  std::uint64_t challenge_period_ms = 3000;
  std::vector<AeadAlgorithm> ciphers;  ///< of the coalition, the preferred first
  std::vector<LabMachine> machines;
  std::vector<LabVm> vms;
};

/// Errors: `malformed` "lab.toml:12:3: …"; every name, address and reference is checked.
Result<LabSpec> read_lab_spec(std::string const& path);

}  // namespace shamon
