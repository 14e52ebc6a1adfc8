// The command line of one QEMU: a pure function of the VM's specification.
#pragma once

#include <string>
#include <vector>

#include "vm/driver.hpp"

namespace shamon {

enum class Accelerator : std::uint8_t { tcg, kvm };

/// The descriptors QEMU inherits, by number.
struct QemuDescriptors {
  int network = -1;  ///< one Ethernet frame a datagram; none with a vhost-user card
  int vtpm = -1;     ///< swtpm's control channel
  int agent = -1;    ///< stream behind the port org.shamon.guest.0
  int qmp = -1;
};

/// KVM only if the processor says it can virtualise (`cpuinfo`: text of /proc/cpuinfo) and the
/// device opens: nested boxes may have /dev/kvm that cannot run a stock kernel.
Accelerator choose_accelerator(std::string_view cpuinfo, bool kvm_opens) noexcept;

/// Errors: `invalid` for what no VM can be (names, memory, address, paths), `too_large`.
Status check_spec(VmSpec const& spec);

/// What the images of tools/guest-image/build are made for; their manifests say the same.
/// rootfstype=ramfs: IMA's tcb policy does not look at tmpfs, which a root file system else would
/// be. lsm=integrity: of Debian's security modules the guest needs only IMA.
inline constexpr std::string_view kGuestImageCommandLine =
    "console=ttyS0 quiet loglevel=3 panic=-1 rootfstype=ramfs lsm=integrity ima_policy=tcb "
    "ima_hash=sha256 ipv6.disable=1 mitigations=off";

/// The kernel's command line: what the specification says (kGuestImageCommandLine if nothing), and
/// the VM's name and address, which the guest's /init reads ("shamon.name=", "shamon.ip=").
std::string kernel_command_line(VmSpec const& spec);

std::string console_socket_path(VmSpec const& spec);
std::string console_log_path(VmSpec const& spec);
std::string vhost_user_socket_path(VmSpec const& spec);

/// Arguments without a shell. Precondition: check_spec succeeded.
std::vector<std::string> qemu_arguments(std::string const& qemu, VmSpec const& spec,
                                        QemuDescriptors const& descriptors,
                                        Accelerator accelerator);

}  // namespace shamon
