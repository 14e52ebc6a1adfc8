// Domains: network namespaces that a privileged party made, each with one TAP. Starting one means
// handing its TAP to the gate; nothing else runs on its behalf.
#include <cerrno>
#include <mutex>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "vm/driver.hpp"

namespace shamon {
namespace {

/// Second descriptors of the same queues: a domain may be stopped and started again.
Result<std::vector<UniqueFd>> duplicate(std::vector<UniqueFd> const& queues) {
  std::vector<UniqueFd> copies;
  for (UniqueFd const& queue : queues) {
    copies.emplace_back(::fcntl(queue.get(), F_DUPFD_CLOEXEC, 3));
    if (!copies.back()) return fail_errno("duplicate a TAP's descriptor");
  }
  return copies;
}

Status check_is_tap(UniqueFd const& fd) {
  ifreq request{};
  if (::ioctl(fd.get(), TUNGETIFF, &request) != 0) return fail(Errc::invalid, "not a TAP");
  if ((request.ifr_flags & IFF_TAP) == 0) return fail(Errc::invalid, "a TUN, not a TAP");
  return {};
}

/// Thread-safe. The host detaches the port of a suspended domain; here that is only remembered.
class DomainVm final : public VmHandle {
 public:
  DomainVm(VmName name, std::vector<UniqueFd> queues)
      : name_(std::move(name)), queues_(std::move(queues)) {}

  VmState state() const override {
    std::lock_guard const lock(mutex_);
    return state_;
  }
  Result<PortDescriptor> take_port() override {
    std::lock_guard const lock(mutex_);
    if (queues_.empty()) return fail(Errc::conflict, "the port was taken before");
    return PortDescriptor{std::exchange(queues_, {}), PortDescriptor::Kind::tap};
  }
  Result<std::optional<UniqueFd>> take_agent_channel() override {
    return std::optional<UniqueFd>();
  }
  std::string console_path() const override { return {}; }
  int exit_fd() const override { return -1; }
  Status suspend() override { return enter(VmState::suspended); }
  Status resume(Permit<VmStart>&& permit) override {
    if (permit.operation().vm != name_) return fail(Errc::denied, "permit of another VM");
    return enter(VmState::running);
  }
  Status stop(Permit<VmStop>&& permit) override {
    if (permit.operation().vm != name_) return fail(Errc::denied, "permit of another VM");
    std::lock_guard const lock(mutex_);
    state_ = VmState::stopped;
    queues_.clear();
    return {};
  }

 private:
  Status enter(VmState next) {
    std::lock_guard const lock(mutex_);
    if (state_ == VmState::stopped) return fail(Errc::not_found, "the domain has stopped");
    state_ = next;
    return {};
  }

  mutable std::mutex mutex_;
  VmName const name_;
  std::vector<UniqueFd> queues_;
  VmState state_ = VmState::running;
};

class DomainDriver final : public Driver {
 public:
  explicit DomainDriver(TapQueues taps) : taps_(std::move(taps)) {}

  Result<std::unique_ptr<VmHandle>> start(Permit<VmStart>&& permit, VmSpec const& spec) override {
    if (permit.operation().vm != spec.name) return fail(Errc::denied, "permit of another VM");
    if (spec.kind != "domain") return fail(Errc::invalid, "not a domain: " + spec.kind);
    auto const tap = taps_.find(spec.name.value());
    if (tap == taps_.end()) {
      return fail(Errc::not_found, "no TAP was passed for domain " + spec.name.value());
    }
    for (UniqueFd const& queue : tap->second) {
      auto const checked = check_is_tap(queue);
      if (!checked) return pass(checked, "domain " + spec.name.value());
    }
    auto copies = duplicate(tap->second);
    if (!copies) return pass(copies);
    return std::make_unique<DomainVm>(spec.name, *std::move(copies));
  }

 private:
  TapQueues const taps_;
};

}  // namespace

std::unique_ptr<Driver> make_domain_driver(TapQueues taps_by_vm) {
  return std::make_unique<DomainDriver>(std::move(taps_by_vm));
}

}  // namespace shamon
