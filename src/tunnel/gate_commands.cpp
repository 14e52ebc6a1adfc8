// What the host monitor may ask of the gate: read, checked, and told to every worker.
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "tunnel/gate.hpp"
#include "tunnel/gate_statistics.hpp"

namespace shamon {

namespace {

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

template <class M>
Result<M> read(std::span<std::uint8_t> bytes) {
  auto const message = read_message<M>(bytes);
  if (!message) return fail(Errc::malformed, "the message has another size than its kind");
  return *message;
}

}  // namespace

void Gate::execute(ControlServer::Command command) {
  auto const header = read_header(command.bytes);
  // Who does not even send a header, or speaks before the greeting, is no host monitor.
  if (!header || (!greeted_ && header->kind != gate::Kind::hello)) return control_.disconnect();
  Status const result = run_command(*header, command);
  wipe(command.bytes);  // it may have held keys
  take_notices();       // what the command caused is told before its answer
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

Status Gate::on_all(std::function<Status(Worker&)> const& change) {
  // The first worker judges; the others have the same state and cannot differ.
  for (auto const& worker : workers_) {
    Status status;
    worker->run([&] { status = change(*worker); });
    if (!status) return status;
  }
  return {};
}

Status Gate::run_command(gate::Header const& header, ControlServer::Command& command) {
  auto with = [&]<class M>(std::type_identity<M>, auto&& run) -> Status {
    auto message = read<M>(command.bytes);
    if (!message) return pass(message);
    return run(*message);
  };
  using std::type_identity;
  switch (header.kind) {
    case gate::Kind::hello:
      return with(type_identity<gate::Hello>{}, [&](auto const& m) { return hello(m); });
    case gate::Kind::policy_load:
      return with(type_identity<gate::PolicyLoad>{}, [&](auto const& m) {
        if (command.descriptors.size() != 1) return Status(fail(Errc::invalid, "no policy image"));
        return load_policy(m, command.descriptors[0]);
      });
    case gate::Kind::port_attach:
      return with(type_identity<gate::PortAttach>{},
                  [&](auto const& m) { return attach_port(m, std::move(command.descriptors)); });
    case gate::Kind::port_detach:
      return with(type_identity<gate::PortDetach>{},
                  [&](auto const& m) { return detach_port(PortId(m.port)); });
    case gate::Kind::association_open:
      return with(type_identity<gate::AssociationOpen>{},
                  [&](gate::AssociationOpen& m) { return open_association(m); });
    case gate::Kind::association_close:
      return with(type_identity<gate::AssociationClose>{}, [&](auto const& m) {
        return end_association(AssociationId(m.association),
                               static_cast<gate::CloseReason>(m.reason), m.header.sequence);
      });
    case gate::Kind::route_set:
      return with(type_identity<gate::RouteSet>{}, [&](auto const& m) {
        return on_all([&](Worker& worker) { return worker.set_route(m); });
      });
    case gate::Kind::route_drop:
      return with(type_identity<gate::RouteDrop>{}, [&](auto const& m) {
        return on_all([&](Worker& worker) { return worker.drop_route(m); });
      });
    case gate::Kind::routes_whole:
      return with(type_identity<gate::RoutesWhole>{}, [&](auto const&) {
        return on_all([](Worker& worker) -> Status {
          worker.routes().drop_inherited();
          return {};
        });
      });
    case gate::Kind::lease:
      return with(type_identity<gate::Lease>{}, [&](auto const& m) {
        return on_all([&](Worker& worker) -> Status {
          worker.set_lease({m.until_ns});
          return {};
        });
      });
    case gate::Kind::share_open:
      return with(type_identity<gate::ShareOpen>{}, [&](auto const& m) { return open_share(m); });
    case gate::Kind::share_join:
      return with(type_identity<gate::ShareJoin>{},
                  [&](auto const& m) { return join_share(m, std::move(command.descriptors)); });
    case gate::Kind::share_close:
      return with(type_identity<gate::ShareClose>{}, [&](auto const& m) { return close_share(m); });
    case gate::Kind::service_attach:
      return with(type_identity<gate::ServiceAttach>{},
                  [&](auto const&) { return attach_services(std::move(command.descriptors)); });
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
    case gate::Kind::statistics_end:
    case gate::Kind::share_state:
    case gate::Kind::share_ended: break;
  }
  return fail(Errc::unsupported, "not a command");
}

Status Gate::hello(gate::Hello const& message) {
  if (message.version != gate::kProtocolVersion) {
    return fail(Errc::unsupported, "the gate speaks another version of the control protocol");
  }
  greeted_ = true;
  Worker& worker = *workers_[0];
  worker.ports().for_each([&](Port& port) {
    gate::State state;
    state.header.sequence = message.header.sequence;
    state.port = port.id.value();
    state.vm_or_peer = to_name(port.vm.value());
    state.label = to_name(port.label.value());
    control_.send(state);
  });
  for (AssociationId id : worker.associations().ids()) {
    AssociationSpec const& spec = worker.associations().find(id)->spec();
    gate::State state;
    state.header.sequence = message.header.sequence;
    state.association = id.value();
    state.vm_or_peer = to_name(spec.peer_name.value());
    state.label = to_name(spec.label.value());
    state.revision = spec.revision.value();
    state.algorithm = static_cast<std::uint32_t>(spec.algorithm);
    control_.send(state);
  }
  (void)on_all([](Worker& each) -> Status {
    each.routes().for_each([](Route& route) { route.inherited = true; });
    return {};
  });
  for (gate::ShareState state : shares_.states()) {
    state.header.sequence = message.header.sequence;
    control_.send(state);
  }
  gate::StateEnd end;
  end.header.sequence = message.header.sequence;
  end.policy_revision = worker.monitor().revision().value();
  end.workers = static_cast<std::uint32_t>(workers_.size());
  control_.send(end);
  return {};
}

Status Gate::load_policy(gate::PolicyLoad const& message, UniqueFd const& image_fd) {
  Result<Bytes> const image = read_image(image_fd.get(), message.image_bytes);
  if (!image) return pass(image);
  Result<CompiledPolicy> policy = CompiledPolicy::from_image(*image);
  if (!policy) return pass(policy);
  if (policy->revision().value() != message.revision) {
    return fail(Errc::invalid, "the image has another revision than announced");
  }
  // A host monitor that was restarted says again what the gate already enforces.
  Monitor& monitor = workers_[0]->monitor();
  if (policy->revision() == monitor.revision() && monitor.policy().image() == *image) return {};
  auto const next = std::make_shared<CompiledPolicy const>(*std::move(policy));
  Status const loaded = on_all([&](Worker& worker) { return worker.load_policy(next); });
  relabel_shares();
  return loaded;
}

Status Gate::attach_port(gate::PortAttach const& message, std::vector<UniqueFd> descriptors) {
  auto const workers = static_cast<unsigned>(workers_.size());
  Result<PortDrivers> drivers = open_port(message.kind, std::move(descriptors), workers);
  if (!drivers) return pass(drivers);
  std::size_t next = 0;
  return on_all(
      [&](Worker& worker) { return worker.attach_port(message, std::move((*drivers)[next++])); });
}

Status Gate::detach_port(PortId id) {
  if (Port const* port = workers_[0]->ports().find(id)) end_shares_of(port->vm);
  return on_all([&](Worker& worker) { return worker.detach_port(id); });
}

Status Gate::open_association(gate::AssociationOpen& message) {
  Status const done = on_all([&](Worker& worker) { return worker.open_association(message); });
  wipe(message.key_in);
  wipe(message.key_out);
  if (!done || !filter_) return done;
  AssociationId const id(message.association);
  Status const admitted = filter_->admit(workers_[0]->associations().find(id)->spec());
  // Nothing of it would ever arrive.
  if (!admitted) (void)end_association(id, gate::CloseReason::asked, 0);
  return admitted;
}

Status Gate::attach_services(std::vector<UniqueFd> descriptors) {
  auto const workers = static_cast<unsigned>(workers_.size());
  // As a port of datagrams is: one worker reads, all write.
  Result<PortDrivers> sockets =
      open_port(gate::PortKind::datagram, std::move(descriptors), workers);
  if (!sockets) return pass(sockets);
  std::size_t next = 0;
  return on_all(
      [&](Worker& worker) { return worker.attach_services(std::move((*sockets)[next++])); });
}

Status Gate::end_association(AssociationId id, gate::CloseReason reason, std::uint32_t sequence) {
  if (Association const* const ending = workers_[0]->associations().find(id); ending && filter_) {
    filter_->refuse(ending->spec());
  }
  std::optional<AssociationTable::Ended> whole;
  Status const closed = on_all([&](Worker& worker) -> Status {
    auto const ended = worker.close_association(id);
    if (!ended) return pass(ended);
    if (whole && ended->last_passed < whole->last_passed) return {};
    whole = *ended;
    return {};
  });
  if (!closed) return closed;
  gate::AssociationEnded message;
  message.header.sequence = sequence;
  message.association = id.value();
  message.reason = static_cast<std::uint32_t>(reason);
  message.last_passed_ns = whole->last_passed.ns;
  message.peer = to_name(whole->peer.value());
  message.label = to_name(whole->label.value());
  control_.send(message);
  return {};
}

void Gate::report_statistics(std::uint32_t sequence) {
  struct Row {
    std::string name, label;
    Counters counters;
  };
  std::map<std::pair<std::uint32_t, std::uint32_t>, Row> rows;  // by port and association
  Counters total;
  auto const add = [&](std::uint32_t port, std::uint32_t association, std::string const& name,
                       std::string const& label, Counters const& counters) {
    Row& row = rows[{port, association}];
    row.name = name;
    row.label = label;
    row.counters += counters;
    total += counters;
  };
  (void)on_all([&](Worker& worker) -> Status {
    total += worker.unowned();
    worker.ports().for_each([&](Port& port) {
      add(port.id.value(), 0, port.vm.value(), port.label.value(), port.counters);
    });
    for (AssociationId id : worker.associations().ids()) {
      Association const& association = *worker.associations().find(id);
      add(0, id.value(), association.spec().peer_name.value(), association.spec().label.value(),
          association.counters);
    }
    return {};
  });
  if (filter_) {  // the kernel's part, which no worker saw
    UnderlayFilter::Dropped const before = filter_->dropped();
    total.dropped_malformed += before.malformed;
    total.dropped_no_association += before.no_association;
  }
  for (auto const& [key, row] : rows) {
    gate::Statistics s = to_statistics(row.counters, sequence);
    s.port = key.first;
    s.association = key.second;
    s.name = to_name(row.name);
    s.label = to_name(row.label);
    control_.send(s);
  }
  for (gate::ShareState state : shares_.states()) {
    state.header.sequence = sequence;
    control_.send(state);
  }
  control_.send(to_statistics(total, sequence));
  gate::StatisticsEnd end;
  end.header.sequence = sequence;
  control_.send(end);
}

}  // namespace shamon
