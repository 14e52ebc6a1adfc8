// What the host monitor may ask of the gate about channels. As with packets, the gate asks its own
// monitor: for each channel one permit for the memory and one for the events of each direction.
#include "base/clock.hpp"
#include "label/label_name.hpp"
#include "policy/decision_text.hpp"
#include "tunnel/gate.hpp"

namespace shamon {

namespace {

Result<ShareSpec> read_share(gate::ShareOpen const& message) {
  for (gate::Name const& vm : {message.owner, message.user}) {
    if (!is_valid_name(from_name(vm))) return fail(Errc::invalid, "not a valid name for a VM");
  }
  for (gate::Name const& label : {message.owner_label, message.user_label}) {
    if (!is_valid_label_name(from_name(label))) {
      return fail(Errc::invalid, "not a valid name for a label");
    }
  }
  ShareSpec spec;
  spec.id = ChannelId(message.channel);
  spec.owner = VmName(std::string(from_name(message.owner)));
  spec.user = VmName(std::string(from_name(message.user)));
  spec.owner_label = LabelName(std::string(from_name(message.owner_label)));
  spec.user_label = LabelName(std::string(from_name(message.user_label)));
  spec.size_bytes = message.size_bytes;
  spec.events = message.events;
  spec.writable = message.writable != 0;
  if (Status checked = check_share(spec); !checked) return pass(checked);
  return spec;
}

template <class Op>
Status denied(Authorization<Op> const& answer) {
  return fail(Errc::denied, to_string(answer.error().record.reason));
}

}  // namespace

/// The label is the one the VM's port has: a VM has one label here, whatever is asked.
Status Gate::check_party(VmName const& vm, LabelName const& label) {
  Port const* found = nullptr;
  workers_[0]->ports().for_each([&](Port& port) { found = port.vm == vm ? &port : found; });
  if (found == nullptr) return fail(Errc::not_found, vm.value() + " has no port here");
  if (found->label == label) return {};
  return fail(Errc::denied, vm.value() + " has another label here");
}

Result<SharePermits> Gate::authorize_share(ShareSpec const& spec) {
  WallTime const now = read_wall_clock();
  Monitor& monitor = workers_[0]->monitor();
  LabelId const owner = workers_[0]->label_id(spec.owner_label);
  LabelId const user = workers_[0]->label_id(spec.user_label);
  auto memory =
      monitor.authorize(MemoryShare{spec.owner, owner, spec.user, user, spec.writable}, now);
  if (!memory) return pass(denied(memory));
  SharePermits permits{*std::move(memory), {}, {}};
  if (spec.events == 0) return permits;
  auto to_user = monitor.authorize(EventBind{spec.owner, owner, spec.user, user}, now);
  if (!to_user) return pass(denied(to_user));
  auto to_owner = monitor.authorize(EventBind{spec.user, user, spec.owner, owner}, now);
  if (!to_owner) return pass(denied(to_owner));
  permits.to_user.emplace(*std::move(to_user));
  permits.to_owner.emplace(*std::move(to_owner));
  return permits;
}

Status Gate::open_share(gate::ShareOpen const& message) {
  Result<ShareSpec> const spec = read_share(message);
  if (!spec) return pass(spec);
  if (Status owner = check_party(spec->owner, spec->owner_label); !owner) return owner;
  if (Status user = check_party(spec->user, spec->user_label); !user) return user;
  Result<SharePermits> permits = authorize_share(*spec);
  if (!permits) return pass(permits);
  return shares_.open(*std::move(permits), *spec);
}

Status Gate::join_share(gate::ShareJoin const& message, std::vector<UniqueFd> descriptors) {
  if (descriptors.size() != 1)
    return fail(Errc::invalid, "no descriptor came with the channel's side");
  return shares_.join(ChannelId(message.channel), message.side, message.view,
                      std::move(descriptors[0]));
}

Status Gate::close_share(gate::ShareClose const& message) {
  return shares_.end(ChannelId(message.channel));
}

void Gate::end_share(ChannelId id, gate::ShareEnd reason) {
  if (!shares_.end(id)) return;
  gate::ShareEnded ended;
  ended.channel = id.value();
  ended.reason = reason;
  control_.send(ended);
}

void Gate::end_shares_of(VmName const& vm) {
  for (ChannelId id : shares_.of_vm(vm)) end_share(id, gate::ShareEnd::vm_left);
}

void Gate::relabel_shares() {
  for (ShareSpec const& spec : shares_.specs()) {
    if (Result<SharePermits> permits = authorize_share(spec)) {
      shares_.renew(spec.id, *std::move(permits));
    } else {
      end_share(spec.id, gate::ShareEnd::policy_changed);
    }
  }
}

void Gate::shares_turn() {
  for (ChannelId id : shares_.turn()) end_share(id, gate::ShareEnd::vm_left);
}

}  // namespace shamon
