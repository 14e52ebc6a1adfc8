// For bench/T2 only: stands in the include path before the gate's own header of this name. The
// monitor is asked once for each port, whoever the other end is, and never again: no key, no
// compare, no revision. A gate built with it does not enforce a policy, and is in no package.
#pragma once

#include <optional>
#include <vector>

#include "monitor/monitor.hpp"
#include "tunnel/audit_trail.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

template <class Op>
class FlowPermits {
 public:
  FlowPermits(Monitor& monitor, AuditTrail& trail, WallTime (*wall_clock)() noexcept)
      : wall_clock_(wall_clock), monitor_(monitor), trail_(trail), permits_(kPortsMax) {}

  Permit<Op> const* find(Op const& op, auto const&, FlowDetail const& detail, Instant) {
    std::optional<Permit<Op>>& permit = permits_[port_of(op).value() % permits_.size()];
    if (!permit) [[unlikely]] {
      ask(permit, op, detail);
    }
    return permit ? &*permit : nullptr;
  }
  void tell(Instant) noexcept {}

 private:
  static PortId port_of(FlowOut const& op) noexcept { return op.from; }
  static PortId port_of(FlowIn const& op) noexcept { return op.to; }

  /// A permit cannot be made elsewhere: this build, too, has to ask for its first one.
  void ask(std::optional<Permit<Op>>& permit, Op const& op, FlowDetail const& detail) {
    trail_.set_detail(&detail);
    auto answer = monitor_.authorize(op, wall_clock_());
    trail_.set_detail(nullptr);
    if (answer) permit.emplace(*std::move(answer));
  }

  WallTime (*wall_clock_)() noexcept;
  Monitor& monitor_;
  AuditTrail& trail_;
  std::vector<std::optional<Permit<Op>>> permits_;
};

}  // namespace shamon
