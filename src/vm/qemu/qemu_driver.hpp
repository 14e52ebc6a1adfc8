// QEMU guests, each with a TPM of its own. What a box must have: packages qemu-system-x86, swtpm
// and swtpm-tools. No privilege is needed, and no KVM: without it guests are emulated.
//
// start() takes about a second, and as long as `on_vtpm` takes: vTPM set-up on the VM's first
// start 0.6 s, then provisioning, swtpm, QEMU. It blocks; a daemon calls it from a worker thread.
// The driver is thread-safe for that: any number of VMs may be started at once, but a state folder
// belongs to one VM. `on_vtpm` is called on the thread that called start().
//
// A guest gets: 1 processor, memory as specified, a virtio network card, a vTPM (CRB), a
// virtio-serial port org.shamon.guest.0, a serial console. Files in the state folder (mode 0700):
// vtpm/ (state; keep it), vtpm.log, qemu.log, console.log, console.sock (an operator's terminal;
// ends with the VM), net.sock (of a vhost-user card).
//
// The card's frames travel one a datagram over a UNIX socket pair, or the gate moves them in the
// guest's memory (vhost-user). In the latter case QEMU stands still from its start until the gate
// has taken the port, and whenever it connects to a gate that is not there: so start() does not
// wait for it, and a QEMU that cannot start is known by exit_fd() alone.
#pragma once

#include "vm/driver.hpp"
#include "vm/process.hpp"

namespace shamon {

class QemuDriver final : public Driver {
 public:
  explicit QemuDriver(QemuOptions options);
  /// Errors: `denied` if the permit is for another VM or does not say that the image was verified;
  /// `invalid`, `too_large` (specification); `not_found` (kernel, initramfs); `system`, `tpm`,
  /// `timeout`, and what `on_vtpm` returns.
  Result<std::unique_ptr<VmHandle>> start(Permit<VmStart>&& permit, VmSpec const& spec) override;

 private:
  Result<std::unique_ptr<VmHandle>> launch(VmSpec const& spec);

  QemuOptions const options_;
  std::shared_ptr<ProcessStarter> const starter_;
};

}  // namespace shamon
