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

/// A second descriptor of the same TAP: a domain may be stopped and started again.
Result<UniqueFd> duplicate(UniqueFd const& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno("duplicate a TAP's descriptor");
  return copy;
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
  DomainVm(VmName name, UniqueFd tap) : name_(std::move(name)), tap_(std::move(tap)) {}

  VmState state() const override {
    std::lock_guard const lock(mutex_);
    return state_;
  }
  Result<PortDescriptor> take_port() override {
    std::lock_guard const lock(mutex_);
    if (!tap_) return fail(Errc::conflict, "the port was taken before");
    return PortDescriptor{std::move(tap_), PortDescriptor::Kind::tap};
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
    tap_.reset();
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
  UniqueFd tap_;
  VmState state_ = VmState::running;
};

class DomainDriver final : public Driver {
 public:
  explicit DomainDriver(std::map<std::string, UniqueFd> taps) : taps_(std::move(taps)) {}

  Result<std::unique_ptr<VmHandle>> start(Permit<VmStart>&& permit, VmSpec const& spec) override {
    if (permit.operation().vm != spec.name) return fail(Errc::denied, "permit of another VM");
    if (spec.kind != "domain") return fail(Errc::invalid, "not a domain: " + spec.kind);
    auto const tap = taps_.find(spec.name.value());
    if (tap == taps_.end()) {
      return fail(Errc::not_found, "no TAP was passed for domain " + spec.name.value());
    }
    if (auto const checked = check_is_tap(tap->second); !checked) {
      return pass(checked, "domain " + spec.name.value());
    }
    auto copy = duplicate(tap->second);
    if (!copy) return pass(copy);
    return std::make_unique<DomainVm>(spec.name, *std::move(copy));
  }

 private:
  std::map<std::string, UniqueFd> const taps_;
};

}  // namespace

std::unique_ptr<Driver> make_domain_driver(std::map<std::string, UniqueFd> taps_by_vm) {
  return std::make_unique<DomainDriver>(std::move(taps_by_vm));
}

}  // namespace shamon
