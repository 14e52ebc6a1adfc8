#include "monitor/monitor.hpp"

#include <map>
#include <optional>

#include "base/assert.hpp"
#include "monitor/limits.hpp"

namespace shamon {

namespace {

Decision deny(Reason reason) {
  return {Verdict::deny, reason, {}};
}
Decision allow(Reason reason) {
  return {Verdict::allow, reason, {}};
}

/// One side of an operation, as its audit record names it.
struct Party {
  std::string name;
  LabelId label;
  VmName const* vm = nullptr;  ///< a VM here that is said to have this label
};

/// What a hook asks.
struct Question {
  Party subject;
  Party object;
  Operation operation = Operation::associate;
  std::optional<Decision> settled = std::nullopt;  ///< facts outside the policy that decide already
  Service service{};
  std::optional<Revision> next = std::nullopt;  ///< of a policy that shall replace the one in force
};

Party vm_party(VmName const& vm, LabelId label) {
  return {vm.value(), label, &vm};
}
Party port_party(PortId port, LabelId label) {
  return {"port " + std::to_string(port.value()), label};
}
Party association_party(AssociationId id, LabelId label) {
  return {"association " + std::to_string(id.value()), label};
}
Party host_party(HostName const& host, LabelId label) {
  return {"host " + host.value(), label};
}
std::optional<Decision> need(bool fact, Reason otherwise) {
  return fact ? std::nullopt : std::optional(deny(otherwise));
}

// One function a hook.
Question question(VmDefine const& op) {
  return {vm_party(op.vm, op.label), {"", op.label}};
}
Question question(VmStart const& op) {
  return {vm_party(op.vm, op.label),
          {"", op.label},
          Operation::start,
          need(op.image_verified, Reason::image_not_verified)};
}
// Stopping and closing only take rights away, so that nothing may stand in their way, not even a
// label that a newer policy no longer has.
Question question(VmStop const& op) {
  return {vm_party(op.vm, op.label), {"", op.label}, Operation::associate, allow(Reason::releases)};
}
Question question(AssociationClose const& op) {
  return {association_party(op.association, op.label), host_party(op.peer, op.label),
          Operation::associate, allow(Reason::releases)};
}
Question question(PortAttach const& op) {
  Party port = port_party(op.port, op.label);
  port.name += " " + to_string(op.address);
  return {vm_party(op.vm, op.label), std::move(port)};
}
Question question(MemoryShare const& op) {
  return {vm_party(op.owner, op.owner_label), vm_party(op.user, op.user_label),
          Operation::share_memory};
}
Question question(EventBind const& op) {
  return {vm_party(op.from, op.from_label), vm_party(op.to, op.to_label), Operation::bind_event};
}
Question question(DeviceAssign const& op) {
  return {vm_party(op.vm, op.label), {op.device, op.device_label}, Operation::assign_device};
}
Question question(AssociationOpen const& op) {
  return {association_party(op.association, op.label), host_party(op.peer, op.label),
          Operation::associate,
          op.peer_member ? need(op.peer_attested, Reason::peer_not_attested)
                         : deny(Reason::peer_not_member)};
}
Question question(FlowOut const& op) {
  return {port_party(op.from, op.from_label), {"", op.to_label}, Operation::flow, {}, op.service};
}
Question question(FlowIn const& op) {
  return {association_party(op.association, op.from_label),
          port_party(op.to, op.to_label),
          Operation::flow,
          {},
          op.service};
}
Question question(PolicyLoad const& op) {
  Question asked{{"revision " + std::to_string(op.next.value()), {}}, {}};
  asked.settled = need(op.compatible, Reason::policy_incompatible);
  asked.next = op.next;
  return asked;
}
// What arrives starts here, and what leaves runs on until it is stopped.
Question question(VmMigrate const& op) {
  return {vm_party(op.vm, op.label), host_party(op.peer, op.label),
          op.incoming ? Operation::start : Operation::associate,
          need(op.peer_attested, Reason::peer_not_attested)};
}

}  // namespace

struct Monitor::State {
  AuditSink audit;
  std::shared_ptr<CompiledPolicy const> policy = std::make_shared<CompiledPolicy const>();
  std::map<VmName, LabelName> vms;  ///< what runs or was permitted to start here
  LabelSet running;                 ///< the labels of `vms` in the policy in force
  std::vector<VmName> orphans;      ///< those whose label that policy does not have

  void place_vms() {
    running.reset();
    orphans.clear();
    for (auto const& [vm, label] : vms) {
      if (auto const id = policy->find_label(label)) {
        running.set(id->value());
      } else {
        orphans.push_back(vm);
      }
    }
  }

  /// INVARIANT(one-label-a-vm): what is known to run under one label is not spoken of under
  /// another.
  bool relabels(Party const& party) const {
    auto const at = party.vm == nullptr ? vms.end() : vms.find(*party.vm);
    return at != vms.end() && at->second != policy->label_name(party.label);
  }

  Decision judge(Question const& asked) const {
    if (asked.settled) return *asked.settled;
    // INVARIANT(revision-monotone): the policy in force never goes back.
    if (asked.next) {
      bool const newer = *asked.next > policy->revision();
      return newer ? allow(Reason::policy_newer) : deny(Reason::policy_not_newer);
    }
    if (relabels(asked.subject) || relabels(asked.object)) return deny(Reason::label_changed);
    // No wall can be judged beside a VM of unknown label, and no account kept of one VM too many.
    bool const starts = asked.operation == Operation::start;
    if (starts && (!orphans.empty() || vms.size() >= kRunningVmsMax)) {
      return deny(Reason::missing_input);
    }
    return decide({asked.operation, asked.subject.label, asked.object.label, asked.service,
                   policy->revision(), &running},
                  *policy);
  }

  /// Decides, tells the audit either way, and keeps account of what may now run.
  AuditRecord answer(Hook hook, Question asked, WallTime now) {
    Decision const decision = judge(asked);
    AuditRecord record;
    record.time = now;
    record.hook = hook;
    record.verdict = decision.verdict;
    record.reason = decision.reason;
    record.subject_label = asked.subject.label;
    record.object_label = asked.object.label;
    record.subject = std::move(asked.subject.name);
    record.object = std::move(asked.object.name);
    record.service = asked.service;
    record.revision = policy->revision();
    record.statement = decision.statement;
    if (audit) audit(record);
    // The wall must hold between permit and start too, so the permit itself counts as running.
    if (decision.allowed() && asked.operation == Operation::start) {
      vms.insert_or_assign(*asked.subject.vm, policy->label_name(asked.subject.label));
      place_vms();
    }
    return record;
  }
};

Monitor::Monitor(AuditSink audit) : state_(std::make_shared<State>()) {
  state_->audit = std::move(audit);
}

template <class Op>
Authorization<Op> Monitor::authorize(Op operation, WallTime now) {
  AuditRecord record = state_->answer(Op::kHook, question(operation), now);
  if (record.verdict != Verdict::allow) return tl::unexpected<Denial>(Denial{std::move(record)});
  return Permit<Op>(std::move(operation), record.revision);
}

template Authorization<VmDefine> Monitor::authorize(VmDefine, WallTime);
template Authorization<VmStart> Monitor::authorize(VmStart, WallTime);
template Authorization<VmStop> Monitor::authorize(VmStop, WallTime);
template Authorization<PortAttach> Monitor::authorize(PortAttach, WallTime);
template Authorization<MemoryShare> Monitor::authorize(MemoryShare, WallTime);
template Authorization<EventBind> Monitor::authorize(EventBind, WallTime);
template Authorization<DeviceAssign> Monitor::authorize(DeviceAssign, WallTime);
template Authorization<AssociationOpen> Monitor::authorize(AssociationOpen, WallTime);
template Authorization<AssociationClose> Monitor::authorize(AssociationClose, WallTime);
template Authorization<FlowOut> Monitor::authorize(FlowOut, WallTime);
template Authorization<FlowIn> Monitor::authorize(FlowIn, WallTime);
template Authorization<PolicyLoad> Monitor::authorize(PolicyLoad, WallTime);
template Authorization<VmMigrate> Monitor::authorize(VmMigrate, WallTime);

void Monitor::load(Permit<PolicyLoad>&& permit, std::shared_ptr<CompiledPolicy const> next) {
  Permit<PolicyLoad> const used = std::move(permit);
  SHAMON_ASSERT(next != nullptr);
  SHAMON_ASSERT(next->revision() == used.operation().next);
  // A permit given before another load may by now lead backwards.
  SHAMON_ASSERT(next->revision() > state_->policy->revision());
  state_->policy = std::move(next);
  state_->place_vms();
}

CompiledPolicy const& Monitor::policy() const noexcept {
  return *state_->policy;
}
std::shared_ptr<CompiledPolicy const> Monitor::share_policy() const noexcept {
  return state_->policy;
}
Revision Monitor::revision() const noexcept {
  return state_->policy->revision();
}

LabelSet Monitor::running() const noexcept {
  return state_->running;
}
std::vector<VmName> Monitor::orphans() const {
  return state_->orphans;
}

void Monitor::started(Permit<VmStart> const& permit) {
  // Stopped in the meantime, yet it came up: it counts again, under its label if that can be known.
  State& state = *state_;
  if (state.vms.contains(permit.operation().vm)) return;
  bool const known = permit.revision() == state.policy->revision();
  state.vms.emplace(permit.operation().vm,
                    known ? state.policy->label_name(permit.operation().label) : LabelName("?"));
  state.place_vms();
}

void Monitor::stopped(Permit<VmStop> const& permit) {
  state_->vms.erase(permit.operation().vm);
  state_->place_vms();
}

}  // namespace shamon
