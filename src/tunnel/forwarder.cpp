#include "tunnel/forwarder.hpp"

#include "base/assert.hpp"

namespace shamon {

namespace {

constexpr std::uint8_t kHopsMin = 2;  ///< the gate is a router between machines (RFC 4301 §5.1.2.1)

/// Why a packet goes no further: one count.
void drop(std::uint64_t& counter, std::size_t packets = 1) noexcept {
  counter += packets;
}

}  // namespace

Forwarder::Forwarder(Monitor& monitor, AuditTrail& trail, PortTable& ports,
                     AssociationTable& associations, RouteTable& routes, Outside outside)
    : monitor_(monitor),
      trail_(trail),
      ports_(ports),
      associations_(associations),
      routes_(routes),
      outside_(std::move(outside)),
      out_permits_(monitor, trail, outside_.wall_clock),
      in_permits_(monitor, trail, outside_.wall_clock),
      sealer_(outside_.send),
      segment_memory_(kPacketBytesMax) {}

// --- from a port -------------------------------------------------------------------------------

void Forwarder::from_port(Port& port, PortDriver::Frame frame, Instant now) {
  auto const ethernet = parse_ethernet(frame.bytes);
  if (!ethernet) return drop(port.counters.dropped_malformed);
  if (ethernet->source != port.mac) return refuse_spoof(port, nullptr, now);
  if (ethernet->type == kEtherTypeArp) return answer_arp(port, ethernet->payload, now);
  auto const packet = parse_ip_packet(ethernet->payload, frame.rest);
  if (!packet && packet.error().fault == PacketFault::link_scope) {
    if (asks_link_services(ethernet->payload) && outside_.serve(port, frame.bytes, now)) return;
    return answer_neighbour(port, ethernet->payload);
  }
  if (!packet || packet->ether_type() != ethernet->type) {
    return drop(port.counters.dropped_malformed);
  }
  if (asks_services(*packet, port.address) && outside_.serve(port, frame.bytes, now)) return;
  if (packet->source != port.address) return refuse_spoof(port, &*packet, now);
  Offload offload;
  if (!frame.vnet_header.empty()) {
    auto const parsed = parse_vnet_header(frame.vnet_header, *packet);
    if (!parsed) return drop(port.counters.dropped_malformed);
    offload = *parsed;
  }
  std::size_t const count = Segmenter(*packet, offload).count();
  Outgoing out{port, *packet, offload, count, now};
  forward(out);
}

void Forwarder::from_services(Port& port, std::span<std::uint8_t> frame) {
  auto const ethernet = parse_ethernet(frame);
  // The services answer for the gate; they do not speak as a VM.
  if (!ethernet || ethernet->source != kGateMac) return drop(stray_.dropped_spoof);
  std::array<iovec, 2> parts{iovec{}, iovec{frame.data(), frame.size()}};
  if (!send_frame(port, {}, parts)) ++port.counters.dropped_full;
}

void Forwarder::answer_arp(Port& port, ByteView payload, Instant now) {
  auto const request = parse_arp_request(payload);
  if (!request) return drop(port.counters.dropped_malformed);
  bool const probe = request->sender.bits == 0;  // RFC 5227: is this address free?
  if (request->sender_mac != port.mac || (!probe && request->sender != port.address)) {
    return refuse_spoof(port, nullptr, now);
  }
  // The gate is the only neighbour: it answers for every address but the VM's own.
  if (probe || request->target == port.address) return;
  ArpReply reply = make_arp_reply(*request, kGateMac);
  tell(port, kEtherTypeArp, reply);
}

void Forwarder::answer_neighbour(Port& port, ByteView packet) {
  auto const asked = parse_neighbour_solicitation(packet);
  // Questions for the VM's own addresses are its check that they are free (RFC 4862 §5.4).
  if (!asked || std::count(asked->source.begin(), asked->source.end(), 0) == 16 ||
      vm_of_ipv6(asked->target.data()) == port.address) {
    return drop(port.counters.dropped_no_route);
  }
  NeighbourAdvertisement answer = make_neighbour_advertisement(*asked, kGateMac);
  tell(port, kEtherTypeIpv6, answer);
}

void Forwarder::tell(Port& port, std::uint16_t ether_type, std::span<std::uint8_t> payload) {
  auto header = make_ethernet_header(port.mac, kGateMac, ether_type);
  std::array<iovec, 3> parts{iovec{}, iovec{header.data(), header.size()},
                             iovec{payload.data(), payload.size()}};
  if (!send_frame(port, {}, parts)) ++port.counters.dropped_full;
}

void Forwarder::forward(Outgoing& out) {
  if (Port* const to = ports_.find(out.packet.destination)) return forward_local(out, *to);
  if (Route const* const route = routes_.find(out.packet.destination)) {
    return forward_remote(out, *route);
  }
  drop(out.port.counters.dropped_no_route, out.count);
}

Permit<FlowOut> const* Forwarder::ask(Outgoing& out, VmName const& vm, LabelName const& label,
                                      LabelId label_id) {
  FlowDetail const detail{out.port.vm.value(), vm.value(), out.port.label.value(), label.value(),
                          &out.packet};
  auto const* const permit =
      out_permits_.find({out.port.id, out.port.label_id, label_id, out.packet.service()},
                        out.packet.destination, detail, out.now);
  if (permit == nullptr) drop(out.port.counters.dropped_policy, out.count);
  return permit;
}

void Forwarder::forward_local(Outgoing& out, Port& to) {
  if (!fits_mtu(out, std::min(out.port.mtu, to.mtu))) return;
  if (auto const* const permit = ask(out, to.vm, to.label, to.label_id)) {
    pass_to_port(*permit, out, to);
  }
}

void Forwarder::forward_remote(Outgoing& out, Route const& route) {
  Counters& counters = out.port.counters;
  if (out.packet.hops < kHopsMin) return drop(counters.dropped_malformed, out.count);
  auto const* const permit = ask(out, route.vm, route.label, route.label_id);
  if (permit == nullptr) return;
  if (out.now >= lease_until_) return drop(counters.dropped_lease, out.count);
  // What a VM sends travels under its own label, whatever the label of the receiver is.
  Result<PathId> const path = out.port.label_id == route.label_id
                                  ? Result<PathId>(route.path)
                                  : associations_.path(route.peer, out.port.label);
  Association* const association = path ? associations_.sender(*path, out.now) : nullptr;
  if (association == nullptr) {
    drop(counters.dropped_no_association, out.count);
    if (path) outside_.association_wanted(route.peer, out.port.label, *path, out.now);
    return;
  }
  std::uint16_t const way = std::min(tunnel_mtu_, association->inner_mtu());
  if (fits_mtu(out, std::min(out.port.mtu, way))) pass_to_association(*permit, out, *association);
}

bool Forwarder::fits_mtu(Outgoing& out, std::uint16_t mtu) {
  // The SYN tells how much its sender takes: no more than the narrowest link on the way.
  clamp_mss(out.packet, static_cast<std::uint16_t>(mtu - out.packet.ip_header_bytes - 20),
            !out.offload.checksum_partial);
  std::size_t const bytes = Segmenter(out.packet, out.offload).bytes_max();
  if (bytes <= mtu) return true;
  drop(out.port.counters.dropped_malformed, out.count);
  TooBig answer = make_too_big(out.packet, mtu);
  tell(out.port, out.packet.ether_type(), std::span(answer.memory).first(answer.size));
  return false;
}

// --- the effects of flow_out -------------------------------------------------------------------

void Forwarder::pass_to_port(Permit<FlowOut> const& permit, Outgoing& out, Port& to) {
  SHAMON_ASSERT(permit.operation().from == out.port.id);
  out.port.counters.passed_in(out.count, out.packet.total_bytes(), out.now);
  if (to.driver->offloads()) {
    std::array<iovec, 3 + kRestPiecesMax> parts;
    parts[2] = {out.packet.bytes.data(), out.packet.bytes.size()};
    std::copy(out.packet.rest.begin(), out.packet.rest.end(), &parts[3]);
    return deliver(to, out.packet, out.offload, std::span(parts).first(3 + out.packet.rest.size()),
                   out.count, out.now);
  }
  Segmenter const segmenter(out.packet, out.offload);
  for (std::size_t i = 0; i < segmenter.count(); ++i) {
    std::span<std::uint8_t> const bytes = std::span(segment_memory_).first(segmenter.bytes(i));
    segmenter.write(i, 0, bytes);
    std::array<iovec, 3> parts{iovec{}, iovec{}, iovec{bytes.data(), bytes.size()}};
    deliver(to, out.packet, {}, parts, 1, out.now);
  }
}

void Forwarder::pass_to_association(Permit<FlowOut> const& permit, Outgoing& out,
                                    Association& association) {
  SHAMON_ASSERT(permit.operation().from == out.port.id);
  Segmenter const segmenter(out.packet, out.offload);
  std::size_t passed = 0;
  for (; passed < segmenter.count(); ++passed) {
    std::span<std::uint8_t> const room =
        sealer_.place(association, out.packet, segmenter.bytes(passed), out.now);
    if (room.empty()) break;  // numbers used up: the next tick closes the association
    segmenter.write(passed, 1, room);
  }
  out.port.counters.dropped_no_association += out.count - passed;
  if (passed != 0) out.port.counters.passed_in(passed, out.packet.total_bytes(), out.now);
}

// --- from the underlay -------------------------------------------------------------------------

void Forwarder::from_underlay(Underlay::Run const& run, Instant now) {
  std::span<std::uint8_t> bytes = run.bytes;
  Inbound* inbound = nullptr;  // mostly the same for a whole run
  while (!bytes.empty()) {
    std::span<std::uint8_t> const datagram = bytes.first(std::min(run.segment_bytes, bytes.size()));
    bytes = bytes.subspan(datagram.size());
    auto const esp = parse_esp(datagram);
    if (!esp) {
      ++stray_.dropped_malformed;
      continue;
    }
    if (inbound == nullptr || inbound->spi != esp->spi) inbound = associations_.find(esp->spi);
    if (inbound == nullptr) {
      ++stray_.dropped_no_association;
      continue;
    }
    bool const extended = inbound->association->spec().extended_sequence;
    std::uint64_t const sequence =
        extended ? inbound->window.extend(esp->sequence) : std::uint64_t{esp->sequence};
    // Before the costly part (RFC 4303 §3.4.3); decisive is the check after it.
    if (!inbound->window.may_accept(sequence)) {
      ++inbound->association->counters.dropped_replay;
      continue;
    }
    bool const full = job_count_ == jobs_.size();
    if (full || (job_count_ != 0 && opened_[0].inbound != inbound)) open_batch(now);
    jobs_[job_count_] = esp->job;
    Opened& opened = opened_[job_count_];
    opened = {inbound, sequence, static_cast<std::uint8_t>(run.traffic_class & kEcnMask), {}};
    if (extended) {
      opened.aad = make_extended_aad(esp->spi, sequence);
      jobs_[job_count_].aad = opened.aad;
    }
    ++job_count_;
  }
  open_batch(now);
}

void Forwarder::open_batch(Instant now) {
  if (job_count_ == 0) return;
  Inbound& inbound = *opened_[0].inbound;
  Association& association = *inbound.association;
  open_jobs(inbound);
  for (std::size_t i = 0; i < job_count_; ++i) {
    if (!jobs_[i].ok) {
      ++association.counters.dropped_icv;
    } else if (!inbound.window.accept(opened_[i].sequence)) {
      ++association.counters.dropped_replay;
    } else {
      receive(association, jobs_[i].data, opened_[i].outer_ecn, now);
    }
  }
  job_count_ = 0;
}

// A flood of forgeries, with an SPI someone overheard, comes in runs. Some packets spread over a
// run are opened first, and if all of them are forged the rest goes unopened: that is most of a
// forgery's cost. Who wants a peer's packets dropped with his own must own nearly all of the run
// they are in.
void Forwarder::open_jobs(Inbound& inbound) noexcept {
  std::span<AeadJob> const jobs = std::span(jobs_).first(job_count_);
  std::size_t const step = jobs.size() / 4 | 1;  // odd: an attacker may take turns
  bool authentic = false;
  for (std::size_t i = 0; i < jobs.size(); i += step) {
    inbound.key.open(jobs.subspan(i, 1));
    authentic = authentic || jobs[i].ok;
  }
  for (std::size_t i = 0; authentic && i < jobs.size(); i += step) {
    inbound.key.open(jobs.subspan(i + 1, std::min(step, jobs.size() - i) - 1));
  }
}

void Forwarder::receive(Association& association, std::span<std::uint8_t> payload,
                        std::uint8_t outer_ecn, Instant now) {
  Counters& counters = association.counters;
  if (counters.packets_in == 0) associations_.note_received(association);
  auto const inner = strip_esp_trailer(payload);
  if (inner && inner->empty()) return;  // a dummy packet, RFC 4303 §2.6
  auto packet = inner ? parse_ip_packet(*inner)
                      : Parsed<IpPacket>(tl::unexpected<PacketError>(inner.error()));
  if (!packet) return drop(counters.dropped_malformed);
  if (!apply_outer_ecn(*packet, outer_ecn)) return drop(counters.dropped_full);
  if (now >= lease_until_) return drop(counters.dropped_lease);
  // A member may speak for its own VMs of this label only, whatever it seals.
  Route const* const route = routes_.find(packet->source);
  if (route == nullptr || route->path != association.path()) {
    return refuse_source(association, *packet, now);
  }
  Port* const to = ports_.find(packet->destination);
  if (to == nullptr) return drop(counters.dropped_no_route);
  FlowDetail const detail{route->vm.value(), to->vm.value(), association.spec().label.value(),
                          to->label.value(), &*packet};
  auto const* const permit = in_permits_.find(
      {association.id(), association.label(), to->id, to->label_id, packet->service()},
      packet->source, detail, now);
  if (permit == nullptr) return drop(counters.dropped_policy);
  counters.passed_in(1, packet->bytes.size(), now);
  pass_inward(*permit, *to, *packet, now);
}

// --- the effect of flow_in ---------------------------------------------------------------------

void Forwarder::pass_inward(Permit<FlowIn> const& permit, Port& to, IpPacket const& packet,
                            Instant now) {
  SHAMON_ASSERT(permit.operation().to == to.id);
  if (!to.driver->offloads()) {
    std::array<iovec, 3> parts{iovec{}, iovec{}, iovec{packet.bytes.data(), packet.bytes.size()}};
    return deliver(to, packet, {}, parts, 1, now);
  }
  if (to.coalescer.append(packet)) return;
  if (to.coalescer.empty()) {
    waiting_.push_back(&to);
  } else {
    deliver_chain(to, now);
  }
  to.coalescer.begin(packet);
}

void Forwarder::deliver_chain(Port& port, Instant now) {
  Coalescer::Chain const& chain = port.coalescer.take();
  std::array<iovec, kBatchPackets + 3> parts{};
  std::copy_n(chain.parts.begin(), chain.part_count, parts.begin() + 2);
  deliver(port, chain.packet, chain.offload, std::span(parts).first(chain.part_count + 2),
          chain.packets, now);
}

void Forwarder::deliver(Port& port, IpPacket const& packet, Offload const& offload,
                        std::span<iovec> parts, std::size_t count, Instant now) {
  auto header = make_ethernet_header(port.mac, kGateMac, packet.ether_type());
  parts[1] = {header.data(), header.size()};
  std::size_t bytes = 0;
  for (iovec const& part : parts.subspan(2)) bytes += part.iov_len;
  if (!send_frame(port, make_vnet_header(offload, packet), parts)) {
    return drop(port.counters.dropped_full, count);
  }
  port.counters.passed_out(count, bytes, now);
}

bool Forwarder::send_frame(Port& port, VnetHeader const& header, std::span<iovec> parts) {
  switch (port.driver->send(header, parts)) {
    case PortDriver::Outcome::done: return true;
    case PortDriver::Outcome::busy: return false;
    case PortDriver::Outcome::closed: closed_.insert(&port); return false;
  }
  return false;
}

// --- refusals the gate makes itself, and the end of a turn ---------------------------------------

void Forwarder::refuse_spoof(Port& port, IpPacket const* packet, Instant now) {
  ++port.counters.dropped_spoof;
  if (port.spoofs) return port.spoofs->again();
  FlowDetail const detail{port.vm.value(), "", port.label.value(), "", packet};
  trail_.refuse(Hook::flow_out, gate::kReasonSpoofedSource, monitor_.revision(), detail, now);
  port.spoofs.emplace().keep(trail_.last());
}

void Forwarder::refuse_source(Association& association, IpPacket const& packet, Instant now) {
  ++association.counters.dropped_spoof;
  auto const [at, first] = foreign_sources_.try_emplace(association.id());
  if (!first) return at->second.again();
  FlowDetail const detail{association.spec().peer_name.value(), "",
                          association.spec().label.value(), "", &packet};
  trail_.refuse(Hook::flow_in, gate::kReasonForeignSource, monitor_.revision(), detail, now);
  at->second.keep(trail_.last());
}

void Forwarder::end_of_turn(Instant now) {
  for (Port* port : waiting_) {
    if (!port->coalescer.empty()) deliver_chain(*port, now);
  }
  waiting_.clear();
  sealer_.flush(now);
  for (Port* port : std::exchange(closed_, {})) outside_.port_closed(*port);
}

void Forwarder::tell_repeats(Instant now) {
  out_permits_.tell(now);
  in_permits_.tell(now);
  ports_.for_each([&](Port& port) {
    if (port.spoofs) port.spoofs->tell(trail_, now);
  });
  for (auto& [id, fold] : foreign_sources_) fold.tell(trail_, now);
  std::erase_if(foreign_sources_,
                [&](auto const& entry) { return associations_.find(entry.first) == nullptr; });
}

}  // namespace shamon
