// What the host monitor may ask of the gate. Every effect goes through the gate's own monitor: a
// command is a request, not a permit.
#include <cstring>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "label/label_name.hpp"
#include "policy/decision_text.hpp"
#include "tunnel/gate.hpp"
#include "tunnel/gate_statistics.hpp"

namespace shamon {

namespace {

Error bad_message() {
  return {Errc::malformed, "the message has another size than its kind", {}};
}

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

/// Reads a policy image that nobody can change meanwhile.
Result<Bytes> read_image(int fd, std::uint64_t image_bytes) {
  constexpr int kWanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  int const seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kWanted) != kWanted) {
    return fail(Errc::invalid, "the policy image is not a sealed memfd");
  }
  struct stat found {};
  if (::fstat(fd, &found) != 0) return fail_errno("fstat policy image");
  if (image_bytes > kPolicyImageBytesMax) return fail(Errc::too_large, "policy image");
  if (static_cast<std::uint64_t>(found.st_size) != image_bytes) {
    return fail(Errc::malformed, "the policy image has another size than announced");
  }
  Bytes image(image_bytes);
  std::size_t done = 0;
  while (done < image.size()) {
    ssize_t const got = ::pread(fd, &image[done], image.size() - done, static_cast<off_t>(done));
    if (got <= 0) return fail_errno("read policy image");
    done += static_cast<std::size_t>(got);
  }
  return image;
}

gate::Statistics to_statistics(Counters const& c, std::uint32_t sequence) {
  gate::Statistics s;
  s.header.sequence = sequence;
  s.packets_in = c.packets_in;
  s.bytes_in = c.bytes_in;
  s.packets_out = c.packets_out;
  s.bytes_out = c.bytes_out;
  s.dropped_policy = c.dropped_policy;
  s.dropped_spoof = c.dropped_spoof;
  s.dropped_no_route = c.dropped_no_route;
  s.dropped_no_association = c.dropped_no_association;
  s.dropped_replay = c.dropped_replay;
  s.dropped_icv = c.dropped_icv;
  s.dropped_lease = c.dropped_lease;
  s.dropped_malformed = c.dropped_malformed;
  s.dropped_full = c.dropped_full;
  s.last_passed_ns = c.last_passed.ns;
  return s;
}

}  // namespace

void Gate::execute(ControlServer::Command command) {
  auto const header = read_header(command.bytes);
  // Who does not even send a header, or speaks before the greeting, is no host monitor.
  if (!header || (!greeted_ && header->kind != gate::Kind::hello)) return control_.disconnect();
  Status const result = run_command(*header, command);
  wipe(command.bytes);  // it may have held keys
  if (result) {
    if (header->kind == gate::Kind::hello || header->kind == gate::Kind::statistics_request) return;
    gate::Done done;
    done.header.sequence = header->sequence;
    done.at_ns = read_monotonic_clock().ns;
    return control_.send(done);
  }
  gate::Refused refused;
  refused.header.sequence = header->sequence;
  refused.errc = static_cast<std::uint32_t>(result.error().code);
  std::string const& text = result.error().message;
  std::memcpy(refused.text.data(), text.data(), std::min(text.size(), refused.text.size() - 1));
  control_.send(refused);
}

Status Gate::run_command(gate::Header const& header, ControlServer::Command& command) {
  auto with = [&]<class M>(auto&& run, std::type_identity<M>) -> Status {
    auto const message = read_message<M>(command.bytes);
    if (!message) return tl::unexpected<Error>(bad_message());
    return run(*message);
  };
  using std::type_identity;
  switch (header.kind) {
    case gate::Kind::hello:
      return with([&](auto const& m) { return hello(m); }, type_identity<gate::Hello>{});
    case gate::Kind::policy_load:
      return with([&](auto const& m) { return load_policy(m, std::move(command.descriptor)); },
                  type_identity<gate::PolicyLoad>{});
    case gate::Kind::port_attach:
      return with([&](auto const& m) { return attach_port(m, std::move(command.descriptor)); },
                  type_identity<gate::PortAttach>{});
    case gate::Kind::port_detach:
      return with([&](auto const& m) { return detach_port(m); }, type_identity<gate::PortDetach>{});
    case gate::Kind::association_open:
      return with(
          [&](gate::AssociationOpen message) {
            Status const done = open_association(message);
            wipe(message.key_in);
            wipe(message.key_out);
            return done;
          },
          type_identity<gate::AssociationOpen>{});
    case gate::Kind::association_close:
      return with([&](auto const& m) { return close_association(m); },
                  type_identity<gate::AssociationClose>{});
    case gate::Kind::route_set:
      return with([&](auto const& m) { return set_route(m); }, type_identity<gate::RouteSet>{});
    case gate::Kind::route_drop:
      return with([&](auto const& m) { return drop_route(m); }, type_identity<gate::RouteDrop>{});
    case gate::Kind::lease:
      return with(
          [&](gate::Lease const& m) -> Status {
            forwarder_.set_lease({m.until_ns});
            return {};
          },
          type_identity<gate::Lease>{});
    case gate::Kind::statistics_request: report_statistics(header.sequence); return {};
    case gate::Kind::state:
    case gate::Kind::state_end:
    case gate::Kind::done:
    case gate::Kind::refused:
    case gate::Kind::audit:
    case gate::Kind::association_wanted:
    case gate::Kind::rekey_wanted:
    case gate::Kind::association_ended:
    case gate::Kind::port_fault:
    case gate::Kind::statistics:
    case gate::Kind::statistics_end: break;
  }
  return fail(Errc::unsupported, "not a command");
}

Status Gate::hello(gate::Hello const& message) {
  if (message.version != gate::kProtocolVersion) {
    return fail(Errc::unsupported, "the gate speaks another version of the control protocol");
  }
  greeted_ = true;
  ports_.for_each([&](Port& port) {
    gate::State state;
    state.header.sequence = message.header.sequence;
    state.port = port.id.value();
    state.vm_or_peer = to_name(port.vm.value());
    state.label = to_name(port.label.value());
    control_.send(state);
  });
  for (AssociationId id : associations_.ids()) {
    AssociationSpec const& spec = associations_.find(id)->spec();
    gate::State state;
    state.header.sequence = message.header.sequence;
    state.association = id.value();
    state.vm_or_peer = to_name(spec.peer_name.value());
    state.label = to_name(spec.label.value());
    state.revision = spec.revision.value();
    control_.send(state);
  }
  gate::StateEnd end;
  end.header.sequence = message.header.sequence;
  end.policy_revision = monitor_.revision().value();
  control_.send(end);
  return {};
}

Status Gate::load_policy(gate::PolicyLoad const& message, UniqueFd image_fd) {
  Result<Bytes> const image = read_image(image_fd.get(), message.image_bytes);
  if (!image) return pass(image);
  Result<CompiledPolicy> policy = CompiledPolicy::from_image(*image);
  if (!policy) return pass(policy);
  if (policy->revision().value() != message.revision) {
    return fail(Errc::invalid, "the image has another revision than announced");
  }
  // A host monitor that was restarted says again what the gate already enforces.
  if (policy->revision() == monitor_.revision() && monitor_.policy().image() == *image) return {};
  // The host monitor made the compatibility check; it has the documents to do so.
  auto permit = monitor_.authorize(PolicyLoad{policy->revision(), true}, read_wall_clock());
  if (!permit) return denied(permit);
  monitor_.load(*std::move(permit), std::make_shared<CompiledPolicy const>(*std::move(policy)));
  relabel();
  return {};
}

void Gate::relabel() {
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
      end_association(id, gate::CloseReason::policy_changed, 0);
    }
  }
}

Status Gate::attach_port(gate::PortAttach const& message, UniqueFd descriptor) {
  Result<std::string> const vm = valid_name(message.vm, "VM");
  if (!vm) return pass(vm);
  Result<std::string> const label = valid_label(message.label);
  if (!label) return pass(label);
  if (!descriptor) return fail(Errc::invalid, "no descriptor came with the port");
  PortSpec const spec{LabelName(*label), MacAddress{message.mac}, message.mtu};
  auto permit = monitor_.authorize(
      PortAttach{VmName(*vm), label_id(spec.label), PortId(message.port), Ipv4{message.address}},
      read_wall_clock());
  if (!permit) return denied(permit);
  auto driver = make_port_driver(message.kind, std::move(descriptor));
  if (!driver) return pass(driver);
  Result<Port*> const port = ports_.attach(*std::move(permit), spec, *std::move(driver));
  if (!port) return pass(port);
  std::uint64_t const tag = std::uint64_t{1} << 32 | message.port;
  Status const watched = watch((*port)->driver->fd(), tag, EPOLLIN, true);
  if (!watched) ports_.detach((*port)->id);
  return watched;
}

Status Gate::detach_port(gate::PortDetach const& message) {
  Port* const port = ports_.find(PortId(message.port));
  if (port == nullptr) return fail(Errc::not_found, "no such port");
  closed_ += port->counters;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port->driver->fd(), nullptr);
  ports_.detach(port->id);
  return {};
}

Status Gate::open_association(gate::AssociationOpen const& message) {
  Result<std::string> const peer = valid_name(message.peer, "peer");
  if (!peer) return pass(peer);
  Result<std::string> const label = valid_label(message.label);
  if (!label) return pass(label);
  AssociationSpec spec;
  spec.peer = {Ipv4{message.peer_address}, message.peer_port};
  spec.spi_in = Spi(message.spi_in);
  spec.spi_out = Spi(message.spi_out);
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

Status Gate::close_association(gate::AssociationClose const& message) {
  AssociationId const id(message.association);
  if (associations_.find(id) == nullptr) return fail(Errc::not_found, "no such association");
  end_association(id, static_cast<gate::CloseReason>(message.reason), message.header.sequence);
  return {};
}

void Gate::end_association(AssociationId id, gate::CloseReason reason, std::uint32_t sequence) {
  Association const& association = *associations_.find(id);
  closed_ += association.counters;
  auto permit = monitor_.authorize(
      AssociationClose{id, association.spec().peer_name, association.label()}, read_wall_clock());
  // Closing only takes away; the monitor never denies it.
  if (!permit) return;
  Result<AssociationTable::Ended> const ended = associations_.close(*std::move(permit));
  if (!ended) return;
  gate::AssociationEnded message;
  message.header.sequence = sequence;
  message.association = id.value();
  message.reason = static_cast<std::uint32_t>(reason);
  message.last_passed_ns = ended->last_passed.ns;
  message.peer = to_name(ended->peer.value());
  message.label = to_name(ended->label.value());
  control_.send(message);
}

Status Gate::set_route(gate::RouteSet const& message) {
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

Status Gate::drop_route(gate::RouteDrop const& message) {
  if (routes_.drop(Ipv4{message.address})) return {};
  return fail(Errc::not_found, "no such route");
}

void Gate::report_statistics(std::uint32_t sequence) {
  Counters total = closed_;
  total += forwarder_.stray();
  ports_.for_each([&](Port& port) {
    gate::Statistics s = to_statistics(port.counters, sequence);
    s.port = port.id.value();
    s.name = to_name(port.vm.value());
    s.label = to_name(port.label.value());
    control_.send(s);
    total += port.counters;
  });
  for (AssociationId id : associations_.ids()) {
    Association const& association = *associations_.find(id);
    gate::Statistics s = to_statistics(association.counters, sequence);
    s.association = id.value();
    s.name = to_name(association.spec().peer_name.value());
    s.label = to_name(association.spec().label.value());
    control_.send(s);
    total += association.counters;
  }
  control_.send(to_statistics(total, sequence));
  gate::StatisticsEnd end;
  end.header.sequence = sequence;
  control_.send(end);
}

}  // namespace shamon
