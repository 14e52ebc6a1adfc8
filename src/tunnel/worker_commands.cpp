// What the host monitor asks of the gate, as one worker does it. Every effect goes through the
// worker's own monitor: a command is a request, not a permit.
#include <cstring>

#include <sys/epoll.h>

#include "base/clock.hpp"
#include "label/label_name.hpp"
#include "policy/decision_text.hpp"
#include "tunnel/gate_statistics.hpp"
#include "tunnel/worker.hpp"

namespace shamon {

namespace {

Result<std::string> valid_name(gate::Name const& name, std::string_view what) {
  std::string_view const text = from_name(name);
  if (!is_valid_name(text)) {
    return fail(Errc::invalid, "not a valid name for a " + std::string(what));
  }
  return std::string(text);
}

Result<std::string> valid_label(gate::Name const& name) {
  std::string_view const text = from_name(name);
  if (!is_valid_label_name(text)) return fail(Errc::invalid, "not a valid name for a label");
  return std::string(text);
}

template <class Op>
Status denied(Authorization<Op> const& answer) {
  return fail(Errc::denied, to_string(answer.error().record.reason));
}

}  // namespace

Status Worker::load_policy(std::shared_ptr<CompiledPolicy const> const& policy) {
  // The host monitor made the compatibility check; it has the documents to do so.
  auto permit = monitor_.authorize(PolicyLoad{policy->revision(), true}, read_wall_clock());
  if (!permit) return denied(permit);
  monitor_.load(*std::move(permit), policy);
  relabel();
  return {};
}

void Worker::relabel() {
  ports_.for_each([this](Port& port) { port.label_id = label_id(port.label); });
  routes_.for_each([this](Route& route) { route.label_id = label_id(route.label); });
  for (AssociationId id : associations_.ids()) {
    AssociationSpec const& spec = associations_.find(id)->spec();
    auto permit = monitor_.authorize(AssociationOpen{id, spec.peer_name, label_id(spec.label),
                                                     spec.peer_member, spec.peer_attested},
                                     read_wall_clock());
    if (permit) {
      associations_.renew(*std::move(permit));
    } else {
      notify_(AssociationDue{id, gate::CloseReason::policy_changed});
    }
  }
}

Status Worker::attach_port(gate::PortAttach const& message, std::unique_ptr<PortDriver> driver) {
  Result<std::string> const vm = valid_name(message.vm, "VM");
  if (!vm) return pass(vm);
  Result<std::string> const label = valid_label(message.label);
  if (!label) return pass(label);
  PortSpec const spec{LabelName(*label), MacAddress{message.mac}, message.mtu};
  auto permit = monitor_.authorize(
      PortAttach{VmName(*vm), label_id(spec.label), PortId(message.port), Ipv4{message.address}},
      read_wall_clock());
  if (!permit) return denied(permit);
  Result<Port*> const port = ports_.attach(*std::move(permit), spec, std::move(driver));
  if (!port) return pass(port);
  int const fd = (*port)->driver->fd();
  if (fd < 0) return {};
  Status const watched = watch(fd, kPortTag | message.port, EPOLLIN, true);
  if (!watched) ports_.detach((*port)->id);
  return watched;
}

Status Worker::attach_services(std::unique_ptr<PortDriver> socket) {
  end_services();
  services_ = std::move(socket);
  if (services_->fd() < 0) return {};
  Status const watched = watch(services_->fd(), kServicesTag, EPOLLIN, true);
  if (!watched) services_.reset();
  return watched;
}

Status Worker::detach_port(PortId id) {
  Port* const port = ports_.find(id);
  if (port == nullptr) return fail(Errc::not_found, "no such port");
  closed_ += port->counters;
  asked_.erase(id);
  heard_.erase(id);
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port->driver->fd(), nullptr);
  ports_.detach(id);
  return {};
}

Status Worker::open_association(gate::AssociationOpen const& message) {
  Result<std::string> const peer = valid_name(message.peer, "peer");
  if (!peer) return pass(peer);
  Result<std::string> const label = valid_label(message.label);
  if (!label) return pass(label);
  auto const algorithm = to_aead_algorithm(message.algorithm);
  if (!algorithm) return fail(Errc::unsupported, "the gate does not know the cipher");
  AssociationSpec spec;
  spec.algorithm = *algorithm;
  spec.peer = {IpAddress(message.peer_address), message.peer_port};
  spec.spi_in = Spi(message.spi_in);
  spec.spi_out = Spi(message.spi_out);
  spec.lanes = message.lanes;
  spec.extended_sequence = message.extended_sequence != 0;
  spec.peer_name = HostName(*peer);
  spec.label = LabelName(*label);
  spec.revision = Revision(message.revision);
  spec.replaces = message.replaces != 0;
  spec.bytes_max = message.bytes_max;
  spec.seconds_max = message.seconds_max;
  spec.peer_member = message.peer_member != 0;
  spec.peer_attested = message.peer_attested != 0;
  // Keys made under another policy belong to a label that may have meant something else.
  if (spec.revision != monitor_.revision()) {
    return fail(Errc::stale, "the keys are bound to another policy revision");
  }
  AssociationKeys keys{Secret<36>(message.key_in), Secret<36>(message.key_out)};
  AssociationId const id(message.association);
  auto permit = monitor_.authorize(AssociationOpen{id, spec.peer_name, label_id(spec.label),
                                                   spec.peer_member, spec.peer_attested},
                                   read_wall_clock());
  if (!permit) return denied(permit);
  Result<Association*> const opened =
      associations_.open(*std::move(permit), spec, std::move(keys), read_monotonic_clock());
  if (!opened) return pass(opened);
  wanted_.erase((*opened)->path().value());
  return {};
}

Result<AssociationTable::Ended> Worker::close_association(AssociationId id) {
  Association const* const association = associations_.find(id);
  if (association == nullptr) return fail(Errc::not_found, "no such association");
  closed_ += association->counters;
  // Closing only takes away; the monitor never denies it.
  auto permit = monitor_.authorize(
      AssociationClose{id, association->spec().peer_name, association->label()}, read_wall_clock());
  if (!permit) return fail(Errc::denied, to_string(permit.error().record.reason));
  return associations_.close(*std::move(permit));
}

Status Worker::set_route(gate::RouteSet const& message) {
  Result<std::string> const vm = valid_name(message.vm, "VM");
  if (!vm) return pass(vm);
  Result<std::string> const label = valid_label(message.label);
  if (!label) return pass(label);
  Result<std::string> const peer = valid_name(message.peer, "peer");
  if (!peer) return pass(peer);
  Route route{VmName(*vm), LabelName(*label), kNoLabel, HostName(*peer), PathId{}};
  route.label_id = label_id(route.label);
  Result<PathId> const path = associations_.path(route.peer, route.label);
  if (!path) return pass(path);
  route.path = *path;
  return routes_.set(Ipv4{message.address}, std::move(route));
}

Status Worker::drop_route(gate::RouteDrop const& message) {
  if (routes_.drop(Ipv4{message.address})) return {};
  return fail(Errc::not_found, "no such route");
}

}  // namespace shamon
