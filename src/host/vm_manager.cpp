#include "host/vm_manager.hpp"

#include <algorithm>
#include <mutex>

#include <sys/epoll.h>

#include "attestation/vtpm_provision.hpp"
#include "base/clock.hpp"
#include "monitor/audit_text.hpp"
#include "policy/membership.hpp"

namespace shamon {
namespace {

constexpr Duration kEvidenceLimit = std::chrono::seconds(5);

gate::PortKind kind_of(PortDescriptor::Kind kind) {
  switch (kind) {
    case PortDescriptor::Kind::tap: return gate::PortKind::tap;
    case PortDescriptor::Kind::datagram: return gate::PortKind::datagram;
    case PortDescriptor::Kind::stream: return gate::PortKind::stream;
    case PortDescriptor::Kind::vhost_user: return gate::PortKind::vhost_user;
  }
  return gate::PortKind::datagram;
}

/// True if the file's digest is a trusted value of the component.
Status verify_file(std::string const& component, std::string const& path,
                   ReferenceValues const& reference) {
  auto digest = hash_file(HashAlgorithm::sha256, path);
  if (!digest) return pass(digest);
  if (reference.standing(component, *digest, read_wall_clock()) ==
      ReferenceValues::Standing::trusted) {
    return {};
  }
  return fail(Errc::untrusted, component + " (" + path + ") has digest " + digest->hex() +
                                   ", which is no trusted value of it");
}

Status verify_image(VmSpec const& spec, ReferenceValues const& reference) {
  auto kernel = verify_file("guest-kernel", spec.kernel, reference);
  return kernel ? verify_file("guest-image/" + spec.image, spec.initrd, reference) : kernel;
}

}  // namespace

VmManager::VmManager(EventLoop& loop, Monitor& monitor, Journal& journal, GateLink& gate,
                     std::string swtpm_config, Handlers handlers)
    : loop_(loop),
      monitor_(monitor),
      journal_(journal),
      gate_(gate),
      handlers_(std::move(handlers)),
      provisioned_(std::make_shared<std::map<VmName, AttestationKey>>()),
      provisioned_mutex_(std::make_shared<std::mutex>()) {
  QemuOptions options;
  options.swtpm_config = std::move(swtpm_config);
  options.on_vtpm = [keys = provisioned_, mutex = provisioned_mutex_](
                        VmName const& vm, std::string const& tcti) -> Status {
    auto key = provision_vtpm(tcti);
    if (!key) return pass(key);
    std::lock_guard const lock(*mutex);
    keys->insert_or_assign(vm, std::move(*key));
    return {};
  };
  qemu_ = make_qemu_driver(std::move(options));
}

VmManager::~VmManager() {
  ending_ = true;
  for (auto& thread : starting_) thread.join();
  for (auto& [name, vm] : vms_) {
    if (vm.handle && vm.handle->exit_fd() >= 0) loop_.unwatch(vm.handle->exit_fd());
  }
}

void VmManager::define(VmSpec spec, TapQueues& taps) {
  if (spec.kind == "domain") {
    auto const tap = taps.find(spec.name.value());
    if (tap != taps.end()) taps_.emplace(spec.name.value(), std::move(tap->second));
  }
  ManagedVm vm;
  vm.spec = std::move(spec);
  vm.port = PortId(next_port_++);
  VmName const name = vm.spec.name;
  vms_.emplace(name, std::move(vm));
}

void VmManager::set_state(ManagedVm& vm, std::string state, std::string reason) {
  if (vm.state == state) return;
  vm.state = std::move(state);
  vm.reason = std::move(reason);
  if (vm.state == "failed") gate_.detach(vm.port);
  journal_.event("vm_" + vm.state, vm.spec.name.value(), vm.spec.label.value(), vm.reason,
                 monitor_.revision());
  handlers_.on_changed(vm);
}

void VmManager::start_all(std::shared_ptr<PolicyDocument const> document,
                          ReferenceValues const& reference, LabelTranslator const& translate) {
  if (!domain_) domain_ = make_domain_driver(std::exchange(taps_, {}));
  std::vector<ManagedVm*> defined;
  for (auto& [name, vm] : vms_) {
    if (vm.state == "defined") defined.push_back(&vm);
  }
  // Those whose ports an earlier life of this monitor left in the gate run already: walls are
  // judged with them first.
  std::stable_partition(defined.begin(), defined.end(),
                        [this](ManagedVm const* vm) { return gate_.inherits(vm->port); });
  for (ManagedVm* const each : defined) {
    ManagedVm& vm = *each;
    if (auto label = translate(vm.spec.label)) {
      vm.spec.label = std::move(*label);
      start(vm, document, reference);
    } else {
      // An unknown label: asked for the audit record, then told with what was looked for.
      LabelId const unknown(kLabelsMax);
      (void)monitor_.authorize(VmDefine{vm.spec.name, unknown}, read_wall_clock());
      set_state(vm, "failed", label.error().message);
    }
  }
}

void VmManager::start(ManagedVm& vm, std::shared_ptr<PolicyDocument const> const& document,
                      ReferenceValues reference) {
  auto const label = monitor_.policy().find_label(vm.spec.label);
  LabelId const id = label.value_or(LabelId(kLabelsMax));
  WallTime const now = read_wall_clock();
  auto refuse = [&](Denial const& denial) {
    set_state(vm, "failed", describe(denial.record, monitor_.policy()));
  };
  if (auto defined = monitor_.authorize(VmDefine{vm.spec.name, id}, now); !defined) {
    return refuse(defined.error());
  }
  for (char const* device : {"vtpm", "console"}) {
    if (vm.spec.kind != "qemu") break;
    if (auto given = monitor_.authorize(DeviceAssign{vm.spec.name, id, device, id}, now); !given) {
      return refuse(given.error());
    }
  }
  auto const admitted = admit_image(*document, vm.spec.label, vm.spec.image);
  if (!admitted.allowed()) return set_state(vm, "failed", admitted.reason);
  // Its image is what a privileged party made, and starting it means handing on a descriptor.
  if (vm.spec.kind == "domain") return start_domain(vm, id);
  VmSpec spec = vm.spec;
  if (!spec.queues) spec.queues = std::min(gate_.workers(), spec.processors);
  // QEMU would ask such a gate again and again, and never start.
  if (gate_.connected() && *spec.queues > gate_.workers()) {
    return set_state(vm, "failed",
                     "its card has " + std::to_string(*spec.queues) +
                         " pairs of queues, more than the gate has workers");
  }
  vm.state = "verifying";
  // Hashing an image and making a vTPM take seconds together: a thread does both. The decision to
  // start is taken on the loop in between, so that walls are judged one start after the other.
  starting_.emplace_back([this, spec = std::move(spec), reference = std::move(reference), id] {
    auto verified = verify_image(spec, reference);
    auto const permit = std::make_shared<std::optional<Permit<VmStart>>>();
    auto const decided = std::make_shared<std::promise<void>>();
    loop_.post([this, permit, decided, spec, id, verified] {
      *permit = decide_start(spec.name, id, verified);
      decided->set_value();
    });
    auto future = decided->get_future();
    while (future.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
      if (ending_) return;
    }
    if (!*permit) return;
    auto handle = std::make_shared<Result<std::unique_ptr<VmHandle>>>(
        qemu_->start(std::move(**permit), spec));
    std::optional<AttestationKey> key;
    {
      std::lock_guard const lock(*provisioned_mutex_);
      auto const found = provisioned_->find(spec.name);
      if (found != provisioned_->end()) key = found->second;
    }
    loop_.post([this, name = spec.name, handle, key] { started(name, std::move(*handle), key); });
  });
}

std::optional<Permit<VmStart>> VmManager::decide_start(VmName const& name, LabelId label,
                                                       Status const& verified) {
  auto permit = monitor_.authorize(VmStart{name, label, verified.has_value()}, read_wall_clock());
  if (permit) {
    monitor_.started(*permit);
    return std::move(*permit);
  }
  set_state(
      vms_.at(name), "failed",
      verified ? describe(permit.error().record, monitor_.policy()) : verified.error().describe());
  return std::nullopt;
}

void VmManager::start_domain(ManagedVm& vm, LabelId label) {
  auto permit = decide_start(vm.spec.name, label, {});
  if (permit) started(vm.spec.name, domain_->start(std::move(*permit), vm.spec), std::nullopt);
}

void VmManager::started(VmName const& name, Result<std::unique_ptr<VmHandle>> handle,
                        std::optional<AttestationKey> ak) {
  ManagedVm& vm = vms_.at(name);
  if (!handle) {
    stop(name, "failed", handle.error().describe());
    return;
  }
  vm.handle = std::move(*handle);
  vm.ak = std::move(ak);
  auto port = vm.handle->take_port();
  if (!port) return stop(name, "failed", port.error().describe());
  gate_.attach({vm.port, name, vm.spec.label, vm.spec.address, vm.spec.mac, kind_of(port->kind),
                kPortMtu, std::move(port->descriptors)});
  auto channel = vm.handle->take_agent_channel();
  if (!channel) return stop(name, "failed", channel.error().describe());
  if (*channel) {
    vm.agent = std::make_unique<AgentChannel>(
        loop_, std::move(**channel),
        [this, name](guest::QueryFrame const& q) { return handlers_.on_query(vms_.at(name), q); });
  }
  if (vm.handle->exit_fd() >= 0) {
    loop_.watch(vm.handle->exit_fd(), EPOLLIN,
                [this, name](std::uint32_t) { stop(name, "stopped", "the VM ended by itself"); });
  }
  set_state(vm, "running", "image " + vm.spec.image + " verified");
}

void VmManager::stop(VmName const& name, std::string const& state, std::string const& reason) {
  auto const found = vms_.find(name);
  if (found == vms_.end()) return;
  ManagedVm& vm = found->second;
  auto const label = monitor_.policy().find_label(vm.spec.label);
  handlers_.on_releasing(name, "has ended");
  gate_.detach(vm.port);
  if (vm.handle && vm.handle->exit_fd() >= 0) loop_.unwatch(vm.handle->exit_fd());
  vm.agent.reset();
  auto permit =
      monitor_.authorize(VmStop{name, label.value_or(LabelId(kLabelsMax))}, read_wall_clock());
  if (permit) {
    monitor_.stopped(*permit);
    if (vm.handle) (void)vm.handle->stop(std::move(*permit));
  }
  vm.handle.reset();
  set_state(vm, state, reason);
}

void VmManager::isolate(VmName const& name, std::string const& reason) {
  ManagedVm* vm = find(name);
  if (vm == nullptr) return;
  handlers_.on_releasing(name, "is cut off");
  gate_.detach(vm->port);
  set_state(*vm, "revoked", reason);
}

Status VmManager::suspend(VmName const& name) {
  ManagedVm* vm = find(name);
  if (vm == nullptr || !vm->handle)
    return fail(Errc::not_found, "no running VM is called '" + name.value() + "'");
  auto const label = monitor_.policy().find_label(vm->spec.label);
  auto permit =
      monitor_.authorize(VmStop{name, label.value_or(LabelId(kLabelsMax))}, read_wall_clock());
  if (!permit) return fail(Errc::denied, describe(permit.error().record, monitor_.policy()));
  handlers_.on_releasing(name, "is suspended");
  auto suspended = vm->handle->suspend();
  if (!suspended) return suspended;
  monitor_.stopped(*permit);
  set_state(*vm, "suspended", "asked by the operator");
  return {};
}

Status VmManager::resume(VmName const& name) {
  ManagedVm* vm = find(name);
  if (vm == nullptr || vm->state != "suspended") {
    return fail(Errc::not_found, "no suspended VM is called '" + name.value() + "'");
  }
  auto const label = monitor_.policy().find_label(vm->spec.label);
  // The image was verified when it started and has been in this monitor's hands since.
  auto permit = monitor_.authorize(VmStart{name, label.value_or(LabelId(kLabelsMax)), true},
                                   read_wall_clock());
  if (!permit) return fail(Errc::denied, describe(permit.error().record, monitor_.policy()));
  monitor_.started(*permit);
  auto resumed = vm->handle->resume(std::move(*permit));
  if (!resumed) return resumed;
  set_state(*vm, "running", "resumed");
  return {};
}

ManagedVm* VmManager::find(VmName const& name) {
  auto const found = vms_.find(name);
  return found == vms_.end() ? nullptr : &found->second;
}

std::vector<VmEntry> VmManager::entries(HostName const& host) const {
  std::vector<VmEntry> out;
  for (auto const& [name, vm] : vms_) {
    out.push_back({name, vm.spec.label, host, vm.spec.address, vm.spec.image, vm.state,
                   vm.ak ? vm.ak->public_area : Bytes{}});
  }
  return out;
}

void VmManager::challenge(VmName const& name, Challenge const& challenge,
                          AgentChannel::Evidenced done) {
  ManagedVm* vm = find(name);
  if (vm == nullptr || !vm->agent) {
    return done(fail(Errc::unreachable, name.value() + " has no agent to ask"));
  }
  vm->agent->challenge(challenge, kEvidenceLimit, std::move(done));
}

void VmManager::for_each(std::function<void(ManagedVm&)> const& visit) {
  for (auto& [name, vm] : vms_) visit(vm);
}

}  // namespace shamon
