// One running QEMU guest.
#pragma once

#include <memory>
#include <mutex>

#include "vm/driver.hpp"
#include "vm/process.hpp"
#include "vm/qemu/qemu_channels.hpp"
#include "vm/qemu/qmp.hpp"

namespace shamon {

/// Thread-safe. `starter` is kept because the processes end with its thread.
class QemuVm final : public VmHandle {
 public:
  struct Parts {
    std::shared_ptr<ProcessStarter> starter;
    VmName name;
    std::string console_path;
    ChildProcess vtpm;
    ChildProcess qemu;
    PortDescriptor network;
    std::string network_path;  ///< of a vhost-user card's socket, else empty
    UniqueFd agent;
    UniqueFd qmp;  ///< QEMU has not greeted there yet
  };
  explicit QemuVm(Parts parts) : parts_(std::move(parts)), channels_(qmp_) {}
  /// Waits for QEMU's greeting. Errors: those of QmpConnection::open.
  Status greet();
  ~QemuVm() override;

  VmState state() const override;
  Result<PortDescriptor> take_port() override;
  Result<std::optional<UniqueFd>> take_agent_channel() override;
  std::string console_path() const override { return parts_.console_path; }
  int exit_fd() const override { return parts_.qemu.pid_fd(); }
  Status suspend() override;
  Status resume(Permit<VmStart>&& permit) override;
  Status stop(Permit<VmStop>&& permit) override;
  Status plug_memory(Permit<MemoryShare>&& permit, ChannelMemory memory) override;
  Status plug_events(Permit<EventBind>&& permit, ChannelId channel, UniqueFd socket) override;
  Status unplug(ChannelId channel) override;
  Result<bool> is_unplugged(ChannelId channel) override;

 private:
  bool has_ended() const;
  Status greet_locked();
  Status command(char const* name, VmState next);

  mutable std::mutex mutex_;
  Parts parts_;
  std::optional<QmpConnection> qmp_;
  QemuChannels channels_;
  VmState state_ = VmState::running;
};

}  // namespace shamon
