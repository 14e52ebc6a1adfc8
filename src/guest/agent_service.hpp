// The agent with its descriptors: the channel to the monitor, the vTPM, the logs, and the socket
// for the VM's programs.
#pragma once

#include <string>

#include "attestation/measured_log.hpp"
#include "attestation/vtpm_provision.hpp"

namespace shamon::guest {

struct AgentOptions {
  std::string port = "/dev/virtio-ports/org.shamon.guest.0";
  std::string tcti = "device:/dev/tpmrm0";
  std::string socket = "/run/shamon-guest.sock";
  LogPaths logs{{}, "/sys/kernel/security/ima/binary_runtime_measurements"};
  std::uint32_t ak_handle = kVtpmAkHandle;
};

/// Runs until something it needs is gone for good, and says what. Waits for the port to appear and
/// for a monitor to be at its other end.
Error run_agent(AgentOptions const& options);

}  // namespace shamon::guest
