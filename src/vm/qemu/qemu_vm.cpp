#include "vm/qemu/qemu_vm.hpp"

#include <unistd.h>

#include "vm/limits.hpp"

namespace shamon {

QemuVm::~QemuVm() {
  parts_.qemu.kill();
  parts_.vtpm.kill();
  ::unlink(parts_.console_path.c_str());
  if (!parts_.network_path.empty()) ::unlink(parts_.network_path.c_str());
}

bool QemuVm::has_ended() const {
  return state_ == VmState::stopped || parts_.qemu.has_ended();
}

VmState QemuVm::state() const {
  std::lock_guard const lock(mutex_);
  if (state_ == VmState::stopped) return VmState::stopped;
  return parts_.qemu.has_ended() ? VmState::failed : state_;
}

Result<PortDescriptor> QemuVm::take_port() {
  std::lock_guard const lock(mutex_);
  if (parts_.network.descriptors.empty()) {
    return fail(Errc::conflict, "the port was taken before");
  }
  return std::exchange(parts_.network, {});
}

Result<std::optional<UniqueFd>> QemuVm::take_agent_channel() {
  std::lock_guard const lock(mutex_);
  if (!parts_.agent) return fail(Errc::conflict, "the agent channel was taken before");
  return std::optional<UniqueFd>(std::move(parts_.agent));
}

Status QemuVm::greet() {
  std::lock_guard const lock(mutex_);
  return greet_locked();
}

Status QemuVm::greet_locked() {
  if (qmp_) return {};
  if (!parts_.qmp) return fail(Errc::unreachable, "QEMU did not greet when it was asked first");
  auto connection = QmpConnection::open(std::move(parts_.qmp));
  if (!connection) return pass(connection);
  qmp_ = *std::move(connection);
  return {};
}

Status QemuVm::command(char const* name, VmState next) {
  if (has_ended()) return fail(Errc::not_found, "the VM has ended");
  if (auto const greeted = greet_locked(); !greeted) return pass(greeted, parts_.name.value());
  auto const done = qmp_->execute(name);
  if (!done) return pass(done, parts_.name.value());
  state_ = next;
  return {};
}

Status QemuVm::suspend() {
  std::lock_guard const lock(mutex_);
  return command("stop", VmState::suspended);
}

Status QemuVm::resume(Permit<VmStart>&& permit) {
  std::lock_guard const lock(mutex_);
  if (permit.operation().vm != parts_.name) return fail(Errc::denied, "permit of another VM");
  return command("cont", VmState::running);
}

Status QemuVm::stop(Permit<VmStop>&& permit) {
  std::lock_guard const lock(mutex_);
  if (permit.operation().vm != parts_.name) return fail(Errc::denied, "permit of another VM");
  // QEMU may be gone between the question and the command: that is stopped as well.
  if (!has_ended()) {
    // A QEMU that never greeted may stand still, waiting for its gate.
    bool const asked = qmp_ && qmp_->execute("quit");
    if (!asked || !parts_.qemu.wait(kQuitTimeout)) parts_.qemu.kill();
  }
  parts_.vtpm.kill();
  state_ = VmState::stopped;
  return {};
}

Status QemuVm::plug_memory(Permit<MemoryShare>&& permit, ChannelMemory memory) {
  Permit<MemoryShare> const used = std::move(permit);
  std::lock_guard const lock(mutex_);
  MemoryShare const& share = used.operation();
  bool const owns = share.owner == parts_.name;
  if (!owns && share.user != parts_.name) return fail(Errc::denied, "permit of another VM");
  if (memory.writable && !owns && !share.writable) {
    return fail(Errc::denied, "the permit is for reading only");
  }
  if (has_ended()) return fail(Errc::not_found, "the VM has ended");
  if (auto const greeted = greet_locked(); !greeted) return pass(greeted, parts_.name.value());
  return channels_.plug_memory(std::move(memory));
}

Status QemuVm::plug_events(Permit<EventBind>&& permit, ChannelId channel, UniqueFd socket) {
  Permit<EventBind> const used = std::move(permit);
  std::lock_guard const lock(mutex_);
  if (used.operation().from != parts_.name) return fail(Errc::denied, "permit of another VM");
  if (has_ended()) return fail(Errc::not_found, "the VM has ended");
  if (auto const greeted = greet_locked(); !greeted) return pass(greeted, parts_.name.value());
  return channels_.plug_events(channel, std::move(socket));
}

Status QemuVm::unplug(ChannelId channel) {
  std::lock_guard const lock(mutex_);
  if (has_ended()) return {};
  if (auto const greeted = greet_locked(); !greeted) return pass(greeted, parts_.name.value());
  return channels_.unplug(channel);
}

Result<bool> QemuVm::is_unplugged(ChannelId channel) {
  std::lock_guard const lock(mutex_);
  if (has_ended()) return true;
  if (auto const greeted = greet_locked(); !greeted) return pass(greeted, parts_.name.value());
  return channels_.is_unplugged(channel);
}

}  // namespace shamon
