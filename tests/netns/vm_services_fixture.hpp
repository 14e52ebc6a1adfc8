// For tests: VMs' services with shamond's own code, in a thread of this process.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <thread>
#include <vector>

#include "host/vm_services.hpp"
#include "netns/gate_lab.hpp"

namespace shamon::netns {

struct KnownVm {
  char const* name;
  char const* label;
  Ipv4 address;
  MacAddress mac;
};

/// The host monitors of a laboratory's machines, as far as VMs ask them.
class ServicesLab {
 public:
  /// `known`: the whole coalition's VMs.
  explicit ServicesLab(std::vector<KnownVm> known) : known_(std::move(known)) {}
  ~ServicesLab() {
    if (!serving_.joinable()) return;
    loop_.post([this] { loop_.stop(); });
    serving_.join();
  }
  ServicesLab(ServicesLab const&) = delete;
  ServicesLab& operator=(ServicesLab const&) = delete;

  /// Serves that machine's VMs, by port, once it runs.
  Status attach(Machine& machine, std::map<std::uint32_t, KnownVm> const& ports) {
    services_.emplace_back(loop_, source_of(machine, ports));
    auto const end = services_.back().open();
    return end ? machine.attach_services(*end) : pass(end);
  }
  void run() {
    serving_ = std::thread([this] { loop_.run(); });
  }

 private:
  VmServicesSource source_of(Machine& machine, std::map<std::uint32_t, KnownVm> const& ports) {
    VmServicesSource source;
    source.policy = [policy = machine.policy]() -> CompiledPolicy const& { return *policy; };
    source.for_each_known = [this](auto const& visit) {
      for (KnownVm const& vm : known_) {
        visit(VmName(vm.name), LabelName(vm.label), vm.address, vm.mac);
      }
    };
    source.ports = [ports] {
      std::vector<PortId> all;
      for (auto const& [port, vm] : ports) all.push_back(PortId(port));
      return all;
    };
    source.served = [ports](PortId port) -> std::optional<ServedVm> {
      auto const found = ports.find(port.value());
      if (found == ports.end()) return std::nullopt;
      KnownVm const& vm = found->second;
      return ServedVm{VmName(vm.name), LabelName(vm.label), vm.address, 16, vm.mac, 1420};
    };
    return source;
  }

  std::vector<KnownVm> const known_;
  EventLoop loop_;
  std::list<VmServices> services_;
  std::thread serving_;
};

}  // namespace shamon::netns
