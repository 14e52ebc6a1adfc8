#include "host/gate_link.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include "base/clock.hpp"
#include "host/gate_text.hpp"
#include "monitor/audit_text.hpp"

namespace shamon {
namespace {

constexpr Duration kReconnectDelay = std::chrono::milliseconds(200);
constexpr Duration kStatisticsPeriod = std::chrono::milliseconds(500);

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

GateLink::GateLink(EventLoop& loop, Monitor& monitor, Journal& journal, std::string socket_path,
                   Handlers handlers)
    : loop_(loop),
      monitor_(monitor),
      journal_(journal),
      path_(std::move(socket_path)),
      handlers_(std::move(handlers)) {}

GateLink::~GateLink() {
  loop_.cancel(statistics_timer_);
  if (client_) loop_.unwatch(client_->fd());
}

void GateLink::start() {
  connect();
}

void GateLink::connect() {
  auto client = GateClient::connect(path_);
  if (!client) {
    loop_.after(kReconnectDelay, [this] { connect(); });
    return;
  }
  client_.emplace(std::move(*client));
  synchronised_ = false;
  reported_.clear();
  loop_.watch(client_->fd(), EPOLLIN, [this](std::uint32_t) { receive(); });
}

void GateLink::lose(std::string const& why) {
  if (!client_) return;
  loop_.unwatch(client_->fd());
  loop_.cancel(statistics_timer_);
  client_.reset();
  synchronised_ = false;
  awaited_.clear();
  closing_.clear();
  opening_shares_.clear();
  inherited_ports_.clear();
  journal_.event("gate_lost", "gate", "", why);
  // A gate that is gone passes nothing: its associations ended with it.
  std::vector<AssociationId> open;
  for (auto const& [id, record] : associations_) {
    if (record.open) open.push_back(id);
  }
  for (auto id : open) {
    associations_.at(id).reason = "the gate ended";
    retire(id, read_monotonic_clock());
  }
  handlers_.on_lost();
  loop_.after(kReconnectDelay, [this] { connect(); });
}

void GateLink::receive() {
  while (client_) {
    auto event = client_->receive();
    if (!event) return lose(event.error().describe());
    if (!*event) return;
    handle(**event);
  }
}

void GateLink::note(Result<std::uint32_t> const& sent, std::string what) {
  if (sent) {
    awaited_.emplace(*sent, std::move(what));
  } else {
    journal_.event("gate_error", "gate", "", what + ": " + sent.error().describe());
  }
}

void GateLink::handle(GateClient::Event const& event) {
  std::visit(Overloaded{
                 [&](gate::State const& state) { reported_.push_back(state); },
                 [&](gate::StateEnd const& end) {
                   workers_ = end.workers;
                   synchronise();
                 },
                 [&](gate::Done const& done) {
                   awaited_.erase(done.header.sequence);
                   answer_share(done.header.sequence, {});
                   auto const closed = closing_.find(done.header.sequence);
                   if (closed == closing_.end()) return;
                   AssociationId const id = closed->second;
                   closing_.erase(closed);
                   retire(id, Instant{done.at_ns});
                 },
                 [&](gate::Refused const& refused) {
                   std::string const why = text_of(refused.text);
                   journal_.event("gate_refused", "gate", "",
                                  awaited_[refused.header.sequence] + ": " + why);
                   awaited_.erase(refused.header.sequence);
                   answer_share(refused.header.sequence,
                                fail(static_cast<Errc>(refused.errc), "the gate: " + why));
                 },
                 [&](gate::Audit const& audit) { handlers_.on_audit(audit); },
                 [&](gate::AssociationWanted const& wanted) {
                   handlers_.on_association_wanted(HostName(text_of(wanted.peer)),
                                                   LabelName(text_of(wanted.label)));
                 },
                 [&](gate::RekeyWanted const& wanted) {
                   handlers_.on_rekey_wanted(HostName(text_of(wanted.peer)),
                                             LabelName(text_of(wanted.label)));
                 },
                 [&](gate::AssociationEnded const& ended) {
                   auto const found = associations_.find(AssociationId(ended.association));
                   if (found == associations_.end() || !found->second.open) return;
                   if (found->second.reason.empty()) found->second.reason = "ended by the gate";
                   found->second.statistics.last_passed_ns = ended.last_passed_ns;
                   retire(found->first, read_monotonic_clock());
                 },
                 [&](gate::PortFault const& fault) {
                   handlers_.on_port_fault(PortId(fault.port), text_of(fault.text));
                 },
                 [&](gate::Statistics const& statistics) {
                   auto const found = associations_.find(AssociationId(statistics.association));
                   if (statistics.association != 0 && found != associations_.end()) {
                     found->second.statistics = statistics;
                   }
                 },
                 [&](gate::StatisticsEnd const&) {},
                 [&](gate::ShareState const& state) { handlers_.on_share_reported(state); },
                 [&](gate::ShareEnded const& ended) { handlers_.on_share_ended(ended); },
             },
             event);
}

/// What an earlier life of this monitor left in the gate stays in force until this one has said
/// what is to be: the port is attached anew, the association replaced by one negotiated here, or it
/// goes.
void GateLink::inherit(gate::State const& state) {
  if (state.association == 0) {
    PortId const port(state.port);
    bool const ours = ports_.contains(port);
    if (ours || handlers_.will_attach(port, VmName(text_of(state.vm_or_peer)))) {
      inherited_ports_.insert(port);
    } else {
      note(client_->detach_port(port), "detach");
    }
    return;
  }
  AssociationRecord record;
  record.id = AssociationId(state.association);
  record.peer = HostName(text_of(state.vm_or_peer));
  record.label = LabelName(text_of(state.label));
  record.revision = Revision(state.revision);
  record.algorithm = to_aead_algorithm(state.algorithm).value_or(record.algorithm);
  record.unwatched_until = loop_.now() + kInheritedLife;
  next_association_ = std::max(next_association_, state.association + 1);
  associations_.insert_or_assign(record.id, std::move(record));
}

void GateLink::synchronise() {
  for (auto const& state : reported_) inherit(state);
  synchronised_ = true;
  if (policy_permit_) note(client_->load_policy(*policy_permit_, *policy_), "load policy");
  for (auto const& [id, port] : ports_) send_port(port);
  if (routes_known_) send_routes();
  if (auto const services = handlers_.open_services()) {
    note(client_->attach_services(*services), "attach services");
  } else {
    journal_.event("error", "gate", "", services.error().describe());
  }
  if (lease_.ns != 0) note(client_->set_lease(lease_), "lease");
  statistics_timer_ = loop_.after(kStatisticsPeriod, [this] { ask_statistics(); });
  handlers_.on_ready();
}

void GateLink::ask_statistics() {
  if (!client_) return;
  (void)client_->request_statistics();
  statistics_timer_ = loop_.after(kStatisticsPeriod, [this] { ask_statistics(); });
}

void GateLink::set_policy(Permit<PolicyLoad> permit, std::shared_ptr<CompiledPolicy const> policy) {
  policy_permit_.emplace(std::move(permit));
  policy_ = std::move(policy);
  if (connected()) note(client_->load_policy(*policy_permit_, *policy_), "load policy");
}

void GateLink::send_port(PortRecord const& port) {
  if (inherited_ports_.erase(port.id) != 0) note(client_->detach_port(port.id), "detach");
  auto const label = monitor_.policy().find_label(port.label);
  auto permit = monitor_.authorize(
      PortAttach{port.vm, label.value_or(LabelId(kLabelsMax)), port.id, port.address},
      read_wall_clock());
  if (!permit) {
    journal_.event("port_refused", port.vm.value(), "",
                   describe(permit.error().record, monitor_.policy()));
    return;
  }
  note(client_->attach_port(std::move(*permit), port.kind, port.label, port.mac, port.mtu,
                            port.descriptors),
       "attach port of " + port.vm.value());
}

void GateLink::send_routes() {
  for (auto const& [address, route] : routes_) {
    note(client_->set_route(route.address, route.vm, route.label, route.peer), "route");
  }
  note(client_->routes_are_whole(), "routes");
}

void GateLink::attach(PortRecord port) {
  auto const [at, added] = ports_.insert_or_assign(port.id, std::move(port));
  if (connected()) send_port(at->second);
}

void GateLink::detach(PortId port) {
  bool const there = ports_.erase(port) + inherited_ports_.erase(port) != 0;
  if (there && connected()) note(client_->detach_port(port), "detach port");
}

void GateLink::set_routes(std::vector<RemoteRoute> routes) {
  std::map<std::uint32_t, RemoteRoute> next;
  for (auto& route : routes) next.emplace(route.address.bits, std::move(route));
  if (connected() && routes_known_) {
    for (auto const& [address, route] : routes_) {
      if (!next.contains(address)) note(client_->drop_route(route.address), "drop route");
    }
    for (auto const& [address, route] : next) {
      auto const old = routes_.find(address);
      bool const same = old != routes_.end() && old->second.peer == route.peer &&
                        old->second.label == route.label && old->second.vm == route.vm;
      if (!same)
        note(client_->set_route(route.address, route.vm, route.label, route.peer), "route");
    }
  }
  routes_ = std::move(next);
  if (connected() && !routes_known_) send_routes();
  routes_known_ = true;
}

void GateLink::set_lease(Instant until) {
  lease_ = until;
  if (connected()) note(client_->set_lease(until), "lease");
}

Result<AssociationId> GateLink::open_association(AssociationSpec spec, AssociationKeys keys) {
  if (!connected()) return fail(Errc::unreachable, "the gate is not connected");
  AssociationId const id(next_association_++);
  auto const label = monitor_.policy().find_label(spec.label);
  auto permit =
      monitor_.authorize(AssociationOpen{id, spec.peer_name, label.value_or(LabelId(kLabelsMax)),
                                         spec.peer_member, spec.peer_attested},
                         read_wall_clock());
  if (!permit) return fail(Errc::denied, describe(permit.error().record, monitor_.policy()));
  AssociationRecord record;
  record.id = id;
  record.peer = spec.peer_name;
  record.label = spec.label;
  record.revision = spec.revision;
  record.algorithm = spec.algorithm;
  // The gate replaces the association of the same peer and label itself; here the old one ends too.
  for (auto& [old_id, old] : associations_) {
    if (old.open && old.peer == spec.peer_name && old.label == spec.label) {
      spec.replaces = true;  // also if nobody watched it any more
      old.open = false;
      old.reason = "rekeyed";
      old.closed_at = read_monotonic_clock();
    }
  }
  auto sent = client_->open_association(std::move(*permit), spec, std::move(keys));
  if (!sent) return pass(sent);
  awaited_.emplace(*sent, "open association with " + spec.peer_name.value());
  associations_.emplace(id, std::move(record));
  return id;
}

void GateLink::close_association(AssociationId id, gate::CloseReason reason,
                                 std::string const& text) {
  auto const found = associations_.find(id);
  if (found == associations_.end() || !found->second.open) return;
  found->second.reason = text;
  if (!connected()) return retire(id, read_monotonic_clock());
  auto const label = monitor_.policy().find_label(found->second.label);
  auto permit = monitor_.authorize(
      AssociationClose{id, found->second.peer, label.value_or(LabelId(kLabelsMax))},
      read_wall_clock());
  if (!permit) {
    journal_.event("close_refused", found->second.peer.value(), "",
                   describe(permit.error().record, monitor_.policy()));
    return;
  }
  auto sent = client_->close_association(std::move(*permit), reason);
  if (sent) closing_.emplace(*sent, id);
  note(sent, "close association");
}

void GateLink::leave_association(AssociationId id, Instant until) {
  auto const found = associations_.find(id);
  if (found != associations_.end()) found->second.unwatched_until = until;
}

void GateLink::close_where(std::function<bool(AssociationRecord const&)> const& matches,
                           gate::CloseReason reason, std::string const& text) {
  std::vector<AssociationId> chosen;
  for (auto const& [id, record] : associations_) {
    if (record.open && matches(record)) chosen.push_back(id);
  }
  for (auto id : chosen) close_association(id, reason, text);
}

Status GateLink::open_share(SharePermits permits, ShareSpec const& spec) {
  if (!connected()) return fail(Errc::unreachable, "the gate is not connected");
  auto sent = client_->open_share(std::move(permits), spec);
  note(sent, "open channel " + std::to_string(spec.id.value()));
  if (!sent) return pass(sent);
  opening_shares_.emplace(*sent, spec.id);
  return {};
}

Status GateLink::join_share(ChannelId channel, gate::ShareSide side, gate::ShareView view,
                            UniqueFd socket) {
  if (!connected()) return fail(Errc::unreachable, "the gate is not connected");
  auto sent = client_->join_share(channel, side, view, std::move(socket));
  note(sent, "join channel " + std::to_string(channel.value()));
  return sent ? Status{} : Status(pass(sent));
}

void GateLink::close_share(ChannelId channel) {
  if (!connected()) return;
  note(client_->close_share(channel), "close channel " + std::to_string(channel.value()));
}

void GateLink::answer_share(std::uint32_t sequence, Status const& status) {
  auto const found = opening_shares_.find(sequence);
  if (found == opening_shares_.end()) return;
  ChannelId const id = found->second;
  opening_shares_.erase(found);
  handlers_.on_share_answered(id, status);
}

void GateLink::retire(AssociationId id, Instant at) {
  auto const found = associations_.find(id);
  if (found == associations_.end() || !found->second.open) return;
  found->second.open = false;
  found->second.closed_at = at;
  handlers_.on_association_ended(found->second);
  if (associations_.size() > kClosedAssociationsKept) {
    std::erase_if(associations_, [&](auto const& entry) {
      return !entry.second.open && entry.first != id &&
             associations_.size() > kClosedAssociationsKept / 2;
    });
  }
}

std::vector<AssociationRecord> GateLink::associations() const {
  std::vector<AssociationRecord> out;
  for (auto const& [id, record] : associations_) out.push_back(record);
  return out;
}

}  // namespace shamon
