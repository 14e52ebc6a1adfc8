#include "vm/qemu/qemu_driver.hpp"

#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.hpp"
#include "vm/limits.hpp"
#include "vm/qemu/qemu_arguments.hpp"
#include "vm/qemu/qemu_vm.hpp"
#include "vm/qemu/vtpm.hpp"

namespace shamon {
namespace {

using SocketPair = std::pair<UniqueFd, UniqueFd>;  ///< ours, QEMU's

Result<SocketPair> make_socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return fail_errno("socketpair");
  }
  return SocketPair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<SocketPair> make_network_pair() {
  auto pair = make_socket_pair(SOCK_DGRAM);
  if (!pair) return pair;
  for (int const fd : {pair->first.get(), pair->second.get()}) {
    // A bigger buffer is only faster; the kernel may grant less.
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kPortSocketBytes, sizeof kPortSocketBytes);
  }
  return pair;
}

/// Where the VM's own QEMU connects, and nobody else: the state folder is closed to other users.
Result<UniqueFd> listen_at(std::string const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket of the network card");
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 1) != 0) {
    return fail_errno("listen at " + path);
  }
  return socket;
}

/// Our end of the network card, and QEMU's where that is a descriptor.
struct NetworkEnds {
  PortDescriptor ours;
  UniqueFd theirs;
  std::string path;
};

PortDescriptor one_descriptor(UniqueFd descriptor, PortDescriptor::Kind kind) {
  PortDescriptor port{{}, kind};
  port.descriptors.push_back(std::move(descriptor));
  return port;
}

Result<NetworkEnds> make_network(VmSpec const& spec) {
  if (spec.nic == Nic::vhost_user) {
    auto const path = vhost_user_socket_path(spec);
    auto listener = listen_at(path);
    if (!listener) return pass(listener);
    return NetworkEnds{
        one_descriptor(*std::move(listener), PortDescriptor::Kind::vhost_user), {}, path};
  }
  auto pair = make_network_pair();
  if (!pair) return pass(pair);
  return NetworkEnds{one_descriptor(std::move(pair->first), PortDescriptor::Kind::datagram),
                     std::move(pair->second),
                     {}};
}

Accelerator probe_accelerator() {
  auto const cpuinfo = read_text_file("/proc/cpuinfo");
  UniqueFd const kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  return choose_accelerator(cpuinfo ? *cpuinfo : std::string(), static_cast<bool>(kvm));
}

Status make_state_folder(std::string const& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(Errc::system, "making " + path + ": " + error.message());
  if (::chmod(path.c_str(), 0700) != 0) return fail_errno("chmod " + path);
  return {};
}

}  // namespace

QemuDriver::QemuDriver(QemuOptions options)
    : options_(std::move(options)), starter_(std::make_shared<ProcessStarter>()) {}

Result<std::unique_ptr<VmHandle>> QemuDriver::start(Permit<VmStart>&& permit, VmSpec const& spec) {
  if (permit.operation().vm != spec.name) return fail(Errc::denied, "permit of another VM");
  if (!permit.operation().image_verified) return fail(Errc::denied, "image was not verified");
  if (auto const checked = check_spec(spec); !checked) return pass(checked, spec.name.value());
  for (auto const& file : {spec.kernel, spec.initrd}) {
    if (::access(file.c_str(), R_OK) != 0) return fail(Errc::not_found, "cannot read " + file);
  }
  if (auto const made = make_state_folder(spec.state_folder); !made) return pass(made);
  auto vm = launch(spec);
  if (!vm) return pass(vm, "VM " + spec.name.value());
  return vm;
}

Result<std::unique_ptr<VmHandle>> QemuDriver::launch(VmSpec const& spec) {
  Vtpm const vtpm(options_, *starter_, spec.state_folder);
  if (auto const made = vtpm.set_up(); !made) return pass(made);
  if (options_.on_vtpm) {
    auto const provisioned =
        vtpm.provision([&](std::string const& tcti) { return options_.on_vtpm(spec.name, tcti); });
    if (!provisioned) return pass(provisioned, "provisioning the vTPM");
  }
  auto network = make_network(spec);
  auto agent = make_socket_pair(SOCK_STREAM);
  auto qmp = make_socket_pair(SOCK_STREAM);
  if (!network) return pass(network);
  if (!agent) return pass(agent);
  if (!qmp) return pass(qmp);
  auto running_vtpm = vtpm.run();
  if (!running_vtpm) return pass(running_vtpm);

  QemuDescriptors const descriptors{network->theirs.get(), running_vtpm->control.get(),
                                    agent->second.get(), qmp->second.get()};
  ::unlink(console_socket_path(spec).c_str());
  auto const log_path = spec.state_folder + "/qemu.log";
  std::vector<int> inherited{descriptors.vtpm, descriptors.agent, descriptors.qmp};
  if (descriptors.network >= 0) inherited.push_back(descriptors.network);
  auto qemu = starter_->start(
      {qemu_arguments(options_.qemu, spec, descriptors, probe_accelerator()), inherited, log_path});
  if (!qemu) return pass(qemu, "package qemu-system-x86");
  // Only QEMU shall hold its ends, so that each side sees when the other is gone.
  for (auto* end : {&network->theirs, &agent->second, &qmp->second, &running_vtpm->control}) {
    end->reset();
  }
  QemuVm::Parts parts{starter_,
                      spec.name,
                      console_socket_path(spec),
                      std::move(running_vtpm->process),
                      *std::move(qemu),
                      std::move(network->ours),
                      network->path,
                      std::move(agent->first),
                      std::move(qmp->first)};
  auto vm = std::make_unique<QemuVm>(std::move(parts));
  // With a vhost-user card QEMU says nothing before the gate has the port.
  auto const greeted = spec.nic == Nic::socket ? vm->greet() : Status{};
  if (!greeted) {
    return fail(greeted.error().code, "QEMU did not start: " + log_tail(log_path));
  }
  return vm;
}

std::unique_ptr<Driver> make_qemu_driver(QemuOptions options) {
  return std::make_unique<QemuDriver>(std::move(options));
}

}  // namespace shamon
