// Permits of the packet path, kept by (end, labels, service) and worth what their revision is: one
// compare a packet, and a change of policy makes every one stale at once.
#pragma once

#include <optional>
#include <vector>

#include "monitor/monitor.hpp"
#include "tunnel/audit_trail.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

/// Op is FlowOut or FlowIn. Direct-mapped: a collision costs a decision, never correctness.
template <class Op>
class FlowPermits {
 public:
  FlowPermits(Monitor& monitor, AuditTrail& trail, WallTime (*wall_clock)() noexcept)
      : wall_clock_(wall_clock),
        monitor_(monitor),
        trail_(trail),
        labels_(kLabelPermitsMax),
        services_(kFlowPermitsMax) {}

  /// The permit for `op`, or none. Asks the monitor (which audits) once per revision and key;
  /// further refusals are counted for tell(). A flow the labels allow as such, whatever the
  /// service, shares one permit among all services; one they refuse as such is asked and told once
  /// for each pair of VMs, so that a VM that tries every port costs no more than one that tries
  /// one. `address` is the other VM's; refusals are told with `detail`.
  Permit<Op> const* find(Op const& op, Ipv4 address, FlowDetail const& detail, Instant now) {
    Op any = op;
    any.service = {};
    Entry& labels = labels_[slot(any, {}) % labels_.size()];
    if (stale(labels, any, {})) {
      Request const question{Operation::flow,     op.from_label, op.to_label, {},
                             monitor_.revision(), nullptr};
      Decision const by_labels = decide(question, monitor_.policy());
      refill(labels, any, {}, by_labels.allowed() ? &detail : nullptr, now);
      labels.service_counts = by_labels.reason == Reason::service_not_allowed;
    }
    if (labels.permit) return &*labels.permit;
    Op const& key = labels.service_counts ? op : any;
    Entry& exact = services_[slot(key, address) % services_.size()];
    if (stale(exact, key, address)) {
      refill(exact, op, address, &detail, now);
      exact.op = key;
      // One service's permit is not every service's, should the monitor ever differ here.
      if (!labels.service_counts) exact.permit.reset();
      if (!exact.permit) exact.folded.emplace().keep(trail_.last());
    } else if (exact.folded) {
      exact.folded->again();
    }
    return exact.permit ? &*exact.permit : nullptr;
  }

  /// Tells the counted repeats; call it every kAuditFold.
  void tell(Instant now) {
    for (Entry& entry : services_) {
      if (entry.folded) entry.folded->tell(trail_, now);
    }
  }

 private:
  struct Entry {
    std::optional<Op> op;
    Ipv4 address;
    Revision revision;
    bool service_counts = true;        ///< of labels: they alone do not refuse
    std::optional<Permit<Op>> permit;  ///< none: denied, or the labels alone do not suffice
    std::optional<FoldedAudit> folded;
  };

  static std::uint64_t key(FlowOut const& op) noexcept { return op.from.value(); }
  static std::uint64_t key(FlowIn const& op) noexcept {
    return std::uint64_t{op.association.value()} << 20 ^ op.to.value();
  }
  static std::size_t slot(Op const& op, Ipv4 address) noexcept {
    std::uint64_t mixed = (key(op) ^ std::uint64_t{address.bits} << 32) * 0x9e3779b97f4a7c15u;
    mixed ^= std::uint64_t{op.from_label.value()} << 48 | std::uint64_t{op.to_label.value()} << 32 |
             std::uint64_t{op.service.port} << 16 | op.service.source_port;
    mixed = (mixed ^ std::uint64_t{op.service.protocol} << 40) * 0xbf58476d1ce4e5b9u;
    return static_cast<std::size_t>(mixed >> 40);
  }
  static bool same(FlowOut const& a, FlowOut const& b) noexcept { return a.from == b.from; }
  static bool same(FlowIn const& a, FlowIn const& b) noexcept {
    return a.association == b.association && a.to == b.to;
  }
  bool stale(Entry const& entry, Op const& op, Ipv4 address) const noexcept {
    return !entry.op || entry.revision != monitor_.revision() || !same(*entry.op, op) ||
           entry.address != address || entry.op->from_label != op.from_label ||
           entry.op->to_label != op.to_label || entry.op->service != op.service;
  }
  /// Asks the monitor if there is a detail to tell of the answer.
  void refill(Entry& entry, Op const& op, Ipv4 address, FlowDetail const* detail, Instant now) {
    if (entry.folded) entry.folded->tell(trail_, now);
    entry.op = op;
    entry.address = address;
    entry.revision = monitor_.revision();
    entry.permit.reset();
    entry.folded.reset();
    if (detail == nullptr) return;
    trail_.set_detail(detail);
    auto answer = monitor_.authorize(op, wall_clock_());
    trail_.set_detail(nullptr);
    if (answer) entry.permit.emplace(*std::move(answer));
  }

  WallTime (*wall_clock_)() noexcept;
  Monitor& monitor_;
  AuditTrail& trail_;
  std::vector<Entry> labels_;    ///< by labels alone
  std::vector<Entry> services_;  ///< by labels and service
};

}  // namespace shamon
