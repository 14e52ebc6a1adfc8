#include "host/channels.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.hpp"
#include "monitor/audit_text.hpp"
#include "tunnel/control_server.hpp"

namespace shamon {
namespace {

constexpr Duration kLookPeriod = std::chrono::milliseconds(200);
constexpr timeval kGateTimeout{2, 0};  ///< the gate answers a join at once

struct SocketPair {
  UniqueFd ours, gates;
};
Result<SocketPair> make_pair_for_gate() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno("socketpair");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// What gate::ShareView::memory says.
Result<UniqueFd> receive_memory(int socket) {
  (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kGateTimeout, sizeof kGateTimeout);
  std::uint8_t byte = 0;
  std::vector<UniqueFd> descriptors;
  ssize_t const got = receive_with_descriptors(socket, {&byte, 1}, descriptors, 0);
  if (got < 0 && errno == EAGAIN) return fail(Errc::timeout, "the gate does not answer");
  if (got != 1 || descriptors.size() != 1) {
    return fail(Errc::denied, "the gate does not hand out the memory");
  }
  return std::move(descriptors[0]);
}

char const* words_for(gate::ShareEnd reason) {
  switch (reason) {
    case gate::ShareEnd::asked: return "asked";
    case gate::ShareEnd::policy_changed: return "the policy in force does not allow it";
    case gate::ShareEnd::vm_left: return "a VM left it";
  }
  return "ended by the gate";
}

}  // namespace

Channels::Channels(EventLoop& loop, Monitor& monitor, Journal& journal, GateLink& gate,
                   VmManager& vms)
    : loop_(loop), monitor_(monitor), journal_(journal), gate_(gate), vms_(vms) {}

Channels::~Channels() {
  if (timer_) loop_.cancel(*timer_);
}

/// Numbers come again after 16383: so many is all that a guest's firmware tables can say.
std::uint32_t Channels::free_number() const {
  std::uint32_t number = next_;
  do {
    number = number > gate::kShareIdMax ? 1 : number;
  } while (channels_.contains(ChannelId(number)) && ++number != next_);
  return number;
}

Result<ShareSpec> Channels::make_spec(ShareRequest const& request) const {
  ShareSpec spec;
  spec.id = ChannelId(free_number());
  spec.size_bytes = request.size_bytes;
  spec.events = static_cast<std::uint32_t>(std::min<std::uint64_t>(request.events, UINT32_MAX));
  spec.writable = !request.read_only;
  for (auto const& [name, vm, label] : {std::tuple{&request.owner, &spec.owner, &spec.owner_label},
                                        std::tuple{&request.user, &spec.user, &spec.user_label}}) {
    ManagedVm const* found = vms_.find(*name);
    if (found == nullptr) {
      return fail(Errc::not_found, "no VM of this machine is called '" + name->value() + "'");
    }
    if (found->state != "running" || !found->handle) {
      return fail(Errc::conflict, name->value() + " is " + found->state + ", not running");
    }
    *vm = *name;
    *label = found->spec.label;
  }
  if (auto checked = check_share(spec); !checked) return pass(checked);
  return spec;
}

LabelId Channels::label_id(LabelName const& label) const {
  return monitor_.policy().find_label(label).value_or(LabelId(kLabelsMax));
}

template <class Op>
Result<Permit<Op>> Channels::ask(Op op) {
  auto answer = monitor_.authorize(std::move(op), read_wall_clock());
  if (!answer) return fail(Errc::denied, describe(answer.error().record, monitor_.policy()));
  return std::move(*answer);
}

MemoryShare Channels::memory_of(ShareSpec const& spec) const {
  return {spec.owner, label_id(spec.owner_label), spec.user, label_id(spec.user_label),
          spec.writable};
}
EventBind Channels::events_to_user(ShareSpec const& spec) const {
  return {spec.owner, label_id(spec.owner_label), spec.user, label_id(spec.user_label)};
}
EventBind Channels::events_to_owner(ShareSpec const& spec) const {
  return {spec.user, label_id(spec.user_label), spec.owner, label_id(spec.owner_label)};
}

Result<SharePermits> Channels::authorize(ShareSpec const& spec) {
  auto memory = ask(memory_of(spec));
  if (!memory) return pass(memory);
  SharePermits out{std::move(*memory), {}, {}};
  if (spec.events == 0) return out;
  auto to_user = ask(events_to_user(spec));
  if (!to_user) return pass(to_user);
  auto to_owner = ask(events_to_owner(spec));
  if (!to_owner) return pass(to_owner);
  out.to_user.emplace(std::move(*to_user));
  out.to_owner.emplace(std::move(*to_owner));
  return out;
}

void Channels::open(ShareRequest const& request, Opened done) {
  auto spec = make_spec(request);
  if (!spec) return done(pass(spec));
  next_ = spec->id.value() + 1;
  Channel channel;
  channel.spec = std::move(*spec);
  channel.done = std::move(done);
  ChannelId const id = channel.spec.id;
  send(channels_.emplace(id, std::move(channel)).first->second);
  forget_oldest();
}

/// Asks our monitor, then the gate, which asks its own.
void Channels::send(Channel& channel) {
  channel.state = "opening";
  channel.reason.clear();
  auto refuse = [&](Error const& error) {
    channel.reason = error.message;
    channel.again = false;
    finish(channel, "refused");
    answer(channel, tl::unexpected<Error>(error));
  };
  auto permits = authorize(channel.spec);
  if (!permits) return refuse(permits.error());
  auto sent = gate_.open_share(std::move(*permits), channel.spec);
  if (!sent) refuse(sent.error());
}

void Channels::answered(ChannelId id, Status const& status) {
  auto const found = channels_.find(id);
  if (found == channels_.end() || found->second.state != "opening") return;
  Channel& channel = found->second;
  Status plugged = status ? plug(channel) : status;
  if (plugged) {
    channel.state = "open";
    journal_.event("channel_opened", channel.spec.owner.value(), channel.spec.user.value(),
                   "channel " + std::to_string(id.value()) +
                       (channel.spec.writable ? "" : ", read-only for the user"),
                   monitor_.revision());
    return answer(channel, row_of(channel));
  }
  if (status) {
    gate_.close_share(id);
    unplug(channel, plugged.error().message);
  } else {
    channel.reason = plugged.error().message;
    finish(channel, "refused");
  }
  answer(channel, tl::unexpected<Error>(plugged.error()));
}

Result<UniqueFd> Channels::join(Channel const& channel, gate::ShareSide side,
                                gate::ShareView view) {
  auto pair = make_pair_for_gate();
  if (!pair) return pass(pair);
  auto joined = gate_.join_share(channel.spec.id, side, view, std::move(pair->gates));
  if (!joined) return pass(joined);
  return std::move(pair->ours);
}

Status Channels::plug_side(Channel& channel, gate::ShareSide side) {
  ShareSpec const& spec = channel.spec;
  bool const owns = side == gate::ShareSide::owner;
  VmName const& name = owns ? spec.owner : spec.user;
  ManagedVm* vm = vms_.find(name);
  if (vm == nullptr || !vm->handle) return fail(Errc::not_found, name.value() + " has ended");
  auto permit = ask(memory_of(spec));
  if (!permit) return pass(permit);
  auto socket = join(channel, side, gate::ShareView::memory);
  if (!socket) return pass(socket);
  auto memory = receive_memory(socket->get());
  if (!memory) return pass(memory);
  // Whatever of it succeeds is to be unplugged one day.
  channel.plugged.insert(name);
  auto plugged = vm->handle->plug_memory(
      std::move(*permit), {spec.id, std::move(*memory), spec.size_bytes, owns || spec.writable});
  if (!plugged || spec.events == 0) return plugged;
  auto bind = ask(owns ? events_to_user(spec) : events_to_owner(spec));
  if (!bind) return pass(bind);
  auto events = join(channel, side, gate::ShareView::events);
  if (!events) return pass(events);
  return vm->handle->plug_events(std::move(*bind), spec.id, std::move(*events));
}

/// The owner first: once the memory is sealed for a reader, nobody else can map it for writing.
Status Channels::plug(Channel& channel) {
  auto owner = plug_side(channel, gate::ShareSide::owner);
  return owner ? plug_side(channel, gate::ShareSide::user) : owner;
}

Status Channels::close(ChannelId id, std::string const& reason) {
  auto const found = channels_.find(id);
  if (found == channels_.end() || is_over(found->second)) {
    return fail(Errc::not_found, "no open channel has the number " + std::to_string(id.value()));
  }
  Channel& channel = found->second;
  channel.again = false;
  if (channel.state == "closing") return {};
  gate_.close_share(id);
  unplug(channel, reason);
  answer(channel, fail(Errc::conflict, "closed while it was opened: " + reason));
  return {};
}

void Channels::unplug(Channel& channel, std::string const& reason) {
  channel.state = "closing";
  channel.reason = reason;
  channel.unplug_until = loop_.now() + kUnplugLimit;
  for (auto const& name : channel.plugged) {
    ManagedVm* vm = vms_.find(name);
    if (vm == nullptr || !vm->handle) continue;
    auto asked = vm->handle->unplug(channel.spec.id);
    if (!asked) journal_.event("error", name.value(), "", asked.error().describe());
  }
  if (!timer_) timer_ = loop_.after(kLookPeriod, [this] { look(); });
}

/// Who has let go meanwhile?
void Channels::look() {
  timer_.reset();
  bool more = false;
  std::vector<ChannelId> ids;
  for (auto const& [id, channel] : channels_) ids.push_back(id);
  for (ChannelId id : ids) {
    auto const found = channels_.find(id);
    if (found != channels_.end() && found->second.state == "closing") {
      more = look_at(found->second) || more;
    }
  }
  if (more && !timer_) timer_ = loop_.after(kLookPeriod, [this] { look(); });
}

/// True if it is to be looked at again.
bool Channels::look_at(Channel& channel) {
  std::vector<VmName> stubborn;
  for (auto at = channel.plugged.begin(); at != channel.plugged.end();) {
    ManagedVm* vm = vms_.find(*at);
    auto gone = vm == nullptr || !vm->handle ? Result<bool>(true)
                                             : vm->handle->is_unplugged(channel.spec.id);
    if (gone && *gone) {
      at = channel.plugged.erase(at);
      continue;
    }
    // A suspended guest can neither help nor use what it has.
    if (vm->state == "suspended") channel.unplug_until = loop_.now() + kUnplugLimit;
    stubborn.push_back(*at++);
  }
  if (stubborn.empty()) {
    finish(channel, "closed");
    return false;
  }
  if (loop_.now() < channel.unplug_until) return true;
  std::string const reason =
      "it does not let go of channel " + std::to_string(channel.spec.id.value());
  for (auto const& vm : stubborn) vms_.stop(vm, "stopped", reason);
  return true;
}

void Channels::finish(Channel& channel, std::string state) {
  channel.state = std::move(state);
  journal_.event("channel_" + channel.state, channel.spec.owner.value(), channel.spec.user.value(),
                 "channel " + std::to_string(channel.spec.id.value()) + ": " + channel.reason,
                 monitor_.revision());
  if (channel.again && gate_.connected()) {
    channel.again = false;
    send(channel);
  }
}

void Channels::answer(Channel& channel, Result<ChannelRow> result) {
  if (Opened const done = std::exchange(channel.done, nullptr)) done(std::move(result));
}

void Channels::vm_released(VmName const& vm, std::string const& reason) {
  for (auto& [id, channel] : channels_) {
    if (channel.spec.owner != vm && channel.spec.user != vm) continue;
    channel.again = false;
    if (channel.state == "opening" || channel.state == "open") {
      (void)close(id, vm.value() + " " + reason);
    }
  }
}

void Channels::policy_changed() {
  for (auto& [id, channel] : channels_) {
    if (channel.state != "opening" && channel.state != "open") continue;
    if (auto permits = authorize(channel.spec); !permits) (void)close(id, permits.error().message);
  }
}

void Channels::gate_ready() {
  for (auto& [id, channel] : channels_) {
    if (!channel.again || channel.state != "closed") continue;
    channel.again = false;
    send(channel);
  }
}

/// Nobody mediates the memory any more, so the VMs must not keep it; the grant stays.
void Channels::gate_lost() {
  for (auto& [id, channel] : channels_) {
    if (channel.state == "opening") {
      unplug(channel, "the gate ended");
      answer(channel, fail(Errc::unreachable, "the gate ended"));
    } else if (channel.state == "open") {
      channel.again = true;
      unplug(channel, "the gate ended");
    }
  }
}

void Channels::ended(gate::ShareEnded const& ended) {
  auto const found = channels_.find(ChannelId(ended.channel));
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  if (channel.state != "opening" && channel.state != "open") return;
  unplug(channel, words_for(ended.reason));
  answer(channel, fail(Errc::denied, channel.reason));
}

void Channels::reported(gate::ShareState const& state) {
  auto const found = channels_.find(ChannelId(state.channel));
  // Of an earlier life of this monitor: its VMs ended with it.
  if (found == channels_.end()) {
    next_ = std::max(next_, state.channel + 1);
    return gate_.close_share(ChannelId(state.channel));
  }
  found->second.rings_of_owner = state.rings_of_owner;
  found->second.rings_of_user = state.rings_of_user;
}

void Channels::forget_oldest() {
  auto const is_closed = [](auto const& entry) {
    return is_over(entry.second) && !entry.second.again;
  };
  std::size_t closed =
      static_cast<std::size_t>(std::count_if(channels_.begin(), channels_.end(), is_closed));
  for (auto at = channels_.begin(); at != channels_.end() && closed > kClosedChannelsKept;) {
    if (is_closed(*at)) {
      at = channels_.erase(at);
      --closed;
    } else {
      ++at;
    }
  }
}

ChannelRow Channels::row_of(Channel const& channel) const {
  ShareSpec const& spec = channel.spec;
  ChannelRow row;
  row.channel = spec.id.value();
  row.owner = spec.owner;
  row.user = spec.user;
  row.owner_label = spec.owner_label;
  row.user_label = spec.user_label;
  row.size_bytes = spec.size_bytes;
  row.events = spec.events;
  row.read_only = !spec.writable;
  row.state = channel.state;
  row.reason = channel.reason;
  row.rings_of_owner = channel.rings_of_owner;
  row.rings_of_user = channel.rings_of_user;
  return row;
}

ChannelList Channels::list() const {
  ChannelList out;
  for (auto const& [id, channel] : channels_) out.channels.push_back(row_of(channel));
  return out;
}

}  // namespace shamon
