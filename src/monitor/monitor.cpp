#include "monitor/monitor.hpp"

#include <map>

#include "base/assert.hpp"
#include "monitor/limits.hpp"

namespace shamon {

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
  void add(VmName const& vm, LabelId label) {
    vms.insert_or_assign(vm, policy->label_name(label));
    place_vms();
  }
};

namespace {

/// What a hook needs to judge: the policy, and what runs on this machine.
struct Context {
  CompiledPolicy const& policy;
  LabelSet const& running;
  bool orphaned;  ///< something runs whose label is unknown, so no wall can be judged
  bool full;      ///< no account can be kept of another VM
  std::map<VmName, LabelName> const& vms;
};

Decision deny(Reason reason) {
  return {Verdict::deny, reason, {}};
}
Decision allow(Reason reason) {
  return {Verdict::allow, reason, {}};
}

Decision ask(Context const& context, Operation operation, LabelId subject, LabelId object,
             Service service = {}) {
  return decide({operation, subject, object, service, context.policy.revision(), &context.running},
                context.policy);
}

Decision ask_known(Context const& context, LabelId label) {
  return ask(context, Operation::associate, label, label);
}

Decision ask_start(Context const& context, LabelId label) {
  if (context.orphaned || context.full) return deny(Reason::missing_input);
  return ask(context, Operation::start, label, label);
}

/// INVARIANT(one-label-a-vm): what is known to run under one label is not spoken of under another.
bool relabels(Context const& in, VmName const& vm, LabelId label) {
  auto const at = in.vms.find(vm);
  return at != in.vms.end() && at->second != in.policy.label_name(label);
}

// One function a hook: its decision.
Decision judge(VmDefine const& op, Context const& in) {
  return relabels(in, op.vm, op.label) ? deny(Reason::label_changed) : ask_known(in, op.label);
}
Decision judge(VmStart const& op, Context const& in) {
  if (!op.image_verified) return deny(Reason::image_not_verified);
  return relabels(in, op.vm, op.label) ? deny(Reason::label_changed) : ask_start(in, op.label);
}
// Stopping and closing only take rights away, so that nothing may stand in their way, not even a
// label that a newer policy no longer has.
Decision judge(VmStop const&, Context const&) {
  return allow(Reason::releases);
}
Decision judge(AssociationClose const&, Context const&) {
  return allow(Reason::releases);
}
Decision judge(PortAttach const& op, Context const& in) {
  return relabels(in, op.vm, op.label) ? deny(Reason::label_changed) : ask_known(in, op.label);
}
Decision judge(MemoryShare const& op, Context const& in) {
  if (relabels(in, op.owner, op.owner_label) || relabels(in, op.user, op.user_label)) {
    return deny(Reason::label_changed);
  }
  return ask(in, Operation::share_memory, op.owner_label, op.user_label);
}
Decision judge(EventBind const& op, Context const& in) {
  if (relabels(in, op.from, op.from_label) || relabels(in, op.to, op.to_label)) {
    return deny(Reason::label_changed);
  }
  return ask(in, Operation::bind_event, op.from_label, op.to_label);
}
Decision judge(DeviceAssign const& op, Context const& in) {
  if (relabels(in, op.vm, op.label)) return deny(Reason::label_changed);
  return ask(in, Operation::assign_device, op.label, op.device_label);
}
Decision judge(AssociationOpen const& op, Context const& in) {
  if (!op.peer_member) return deny(Reason::peer_not_member);
  return op.peer_attested ? ask_known(in, op.label) : deny(Reason::peer_not_attested);
}
Decision judge(FlowOut const& op, Context const& in) {
  return ask(in, Operation::flow, op.from_label, op.to_label, op.service);
}
Decision judge(FlowIn const& op, Context const& in) {
  return ask(in, Operation::flow, op.from_label, op.to_label, op.service);
}
// INVARIANT(revision-monotone): the policy in force never goes back.
Decision judge(PolicyLoad const& op, Context const& in) {
  if (!op.compatible) return deny(Reason::policy_incompatible);
  bool const newer = op.next > in.policy.revision();
  return newer ? allow(Reason::policy_newer) : deny(Reason::policy_not_newer);
}
Decision judge(VmMigrate const& op, Context const& in) {
  if (!op.peer_attested) return deny(Reason::peer_not_attested);
  if (relabels(in, op.vm, op.label)) return deny(Reason::label_changed);
  return op.incoming ? ask_start(in, op.label) : ask_known(in, op.label);
}

std::string port_name(PortId port) {
  return "port " + std::to_string(port.value());
}
std::string association_name(AssociationId id) {
  return "association " + std::to_string(id.value());
}
std::string host_name(HostName const& host) {
  return "host " + host.value();
}

void name_parties(AuditRecord& record, std::string subject, LabelId subject_label,
                  std::string object, LabelId object_label) {
  record.subject = std::move(subject);
  record.subject_label = subject_label;
  record.object = std::move(object);
  record.object_label = object_label;
}

// One function a hook: who and what stands in its audit record.
void fill(AuditRecord& record, VmDefine const& op) {
  name_parties(record, op.vm.value(), op.label, "", op.label);
}
void fill(AuditRecord& record, VmStart const& op) {
  name_parties(record, op.vm.value(), op.label, "", op.label);
}
void fill(AuditRecord& record, VmStop const& op) {
  name_parties(record, op.vm.value(), op.label, "", op.label);
}
void fill(AuditRecord& record, PortAttach const& op) {
  name_parties(record, op.vm.value(), op.label, port_name(op.port) + " " + to_string(op.address),
               op.label);
}
void fill(AuditRecord& record, MemoryShare const& op) {
  name_parties(record, op.owner.value(), op.owner_label, op.user.value(), op.user_label);
}
void fill(AuditRecord& record, EventBind const& op) {
  name_parties(record, op.from.value(), op.from_label, op.to.value(), op.to_label);
}
void fill(AuditRecord& record, DeviceAssign const& op) {
  name_parties(record, op.vm.value(), op.label, op.device, op.device_label);
}
void fill(AuditRecord& record, AssociationOpen const& op) {
  name_parties(record, association_name(op.association), op.label, host_name(op.peer), op.label);
}
void fill(AuditRecord& record, AssociationClose const& op) {
  name_parties(record, association_name(op.association), op.label, host_name(op.peer), op.label);
}
void fill(AuditRecord& record, FlowOut const& op) {
  name_parties(record, port_name(op.from), op.from_label, "", op.to_label);
  record.service = op.service;
}
void fill(AuditRecord& record, FlowIn const& op) {
  name_parties(record, association_name(op.association), op.from_label, port_name(op.to),
               op.to_label);
  record.service = op.service;
}
void fill(AuditRecord& record, PolicyLoad const& op) {
  record.subject = "revision " + std::to_string(op.next.value());
}
void fill(AuditRecord& record, VmMigrate const& op) {
  name_parties(record, op.vm.value(), op.label, host_name(op.peer), op.label);
}

}  // namespace

Monitor::Monitor(AuditSink audit) : state_(std::make_shared<State>()) {
  state_->audit = std::move(audit);
}

template <class Op>
Authorization<Op> Monitor::authorize(Op operation, WallTime now) {
  State& state = *state_;
  Context const context{*state.policy, state.running, !state.orphans.empty(),
                        state.vms.size() >= kRunningVmsMax, state.vms};
  Decision const decision = judge(operation, context);
  AuditRecord record;
  record.time = now;
  record.hook = Op::kHook;
  record.verdict = decision.verdict;
  record.reason = decision.reason;
  record.revision = state.policy->revision();
  record.statement = decision.statement;
  fill(record, operation);
  if (state.audit) state.audit(record);
  if (!decision.allowed()) return tl::unexpected<Denial>(Denial{std::move(record)});
  // The wall must hold between permit and start too, so the permit itself counts as running.
  if constexpr (std::is_same_v<Op, VmStart>) state.add(operation.vm, operation.label);
  if constexpr (std::is_same_v<Op, VmMigrate>) {
    if (operation.incoming) state.add(operation.vm, operation.label);
  }
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
