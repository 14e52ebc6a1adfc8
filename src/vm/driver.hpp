// What a hypervisor must offer. Each driver is a folder (domain/, qemu/); it holds one outside
// thing and no policy.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/channel_id.hpp"
#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "monitor/permit.hpp"

namespace shamon {

/// What a QEMU guest's network card is behind.
enum class Nic : std::uint8_t {
  socket,      ///< one frame a datagram
  vhost_user,  ///< the gate in the guest's own memory: super-packets, no copy through the kernel
};

/// A VM as its machine's configuration defines it.
struct VmSpec {
  VmName name;
  LabelName label;
  std::string kind;   ///< "qemu" or "domain"
  std::string image;  ///< image name, e.g. "boinc-client": what `member vm … when image in` says
  /// qemu: files and text the image was verified with. No text: kGuestImageCommandLine.
  std::string kernel, initrd, command_line;
  Ipv4 address;  ///< in the coalition's VM network
  std::uint8_t prefix_length = 16;
  MacAddress mac;
  Nic nic = Nic::socket;
  bool packed_ring = false;  ///< of a vhost-user card: virtio's other ring layout
  /// Of a vhost-user card: pairs of queues, no more than its gate has workers. None: one for each
  /// processor of the VM, as far as the gate's workers go.
  std::optional<unsigned> queues;
  unsigned processors = 1;
  unsigned memory_mb = 256;
  std::string state_folder;  ///< sockets, vTPM state, console log; owned by the driver
};

/// The queues of each domain's TAP, by the VM's name.
using TapQueues = std::map<std::string, std::vector<UniqueFd>>;

/// How the gate gets at the VM's only network attachment.
struct PortDescriptor {
  /// tap: one for each queue; else one. vhost_user: a listening socket, where this VM's hypervisor
  /// connects.
  std::vector<UniqueFd> descriptors;
  enum class Kind { tap, datagram, stream, vhost_user } kind = Kind::datagram;
};

enum class VmState { starting, running, suspended, stopped, failed };
char const* to_string(VmState state) noexcept;

/// A channel's memory as the gate hands it out.
struct ChannelMemory {
  ChannelId channel;
  UniqueFd memory;
  std::uint64_t size_bytes = 0;
  bool writable = false;  ///< by this VM; else its hypervisor maps it for reading only
};

/// A VM that runs. Destruction stops it and ends its processes.
class VmHandle {
 public:
  virtual ~VmHandle() = default;
  virtual VmState state() const = 0;
  /// The gate's end of the network port; can be taken once.
  virtual Result<PortDescriptor> take_port() = 0;
  /// Connected stream to the guest agent (virtio-serial), non-blocking; can be taken once. None for
  /// domains.
  virtual Result<std::optional<UniqueFd>> take_agent_channel() = 0;
  /// UNIX socket path of the serial console; empty for domains.
  virtual std::string console_path() const = 0;
  /// Readable (pidfd) when the VM's process has ended; -1 for domains.
  virtual int exit_fd() const = 0;
  virtual Status suspend() = 0;
  virtual Status resume(Permit<VmStart>&& permit) = 0;
  virtual Status stop(Permit<VmStop>&& permit) = 0;

  // Channels with another VM of this machine, plugged into the running guest. The permits must name
  // this VM. Errors: `denied`, `unsupported` where the kind of VM has no such thing, `conflict` if
  // it is plugged, `too_large` if there is no room, and what the hypervisor says.

  virtual Status plug_memory(Permit<MemoryShare>&& permit, ChannelMemory memory);
  /// `permit`: for ringing, from this VM. `socket`: each byte is the number of an event.
  virtual Status plug_events(Permit<EventBind>&& permit, ChannelId channel, UniqueFd socket);
  /// Asks the guest to let go of the channel, which takes it a moment; ask is_unplugged() for the
  /// end. Takes away only, so that nothing may stand in its way.
  virtual Status unplug(ChannelId channel);
  virtual Result<bool> is_unplugged(ChannelId channel);
};

class Driver {
 public:
  virtual ~Driver() = default;
  virtual Result<std::unique_ptr<VmHandle>> start(Permit<VmStart>&& permit, VmSpec const& spec) = 0;
};

/// QEMU guests with a vTPM (swtpm) each; see qemu/qemu_driver.hpp for what a box must have.
/// `on_vtpm`: called with the vTPM's TCTI while it runs, before the guest boots: the host monitor
/// provisions the attestation key there and so knows which vTPM it gave to which VM.
struct QemuOptions {
  std::string qemu = "qemu-system-x86_64";
  std::string swtpm = "swtpm";
  std::string swtpm_setup = "swtpm_setup";
  std::string swtpm_config;  ///< swtpm_setup.conf naming the local CA; empty: no EK certificate
  std::function<Status(VmName const&, std::string const& tcti)> on_vtpm;
};
std::unique_ptr<Driver> make_qemu_driver(QemuOptions options);

/// Light stand-ins: whoever is privileged (the lab, a service manager) made a network namespace
/// with one TAP inside and passed the TAP's descriptor to us by name; the domain runs while its
/// port is attached.
std::unique_ptr<Driver> make_domain_driver(TapQueues taps_by_vm);

}  // namespace shamon
