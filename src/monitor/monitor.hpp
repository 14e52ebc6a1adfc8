// The reference monitor of one process: holds the policy in force and what runs, answers every
// hook, and writes an audit record either way.
#pragma once

#include <functional>
#include <memory>

#include "base/time.hpp"
#include "monitor/audit_record.hpp"
#include "monitor/operations.hpp"
#include "monitor/permit.hpp"
#include "policy/compiled_policy.hpp"

namespace shamon {

struct Denial { AuditRecord record; };

template <class Op>
using Authorization = tl::expected<Permit<Op>, Denial>;

class Monitor {
 public:
  /// `audit` is called once per decision, before the result is returned. It must not throw.
  using AuditSink = std::function<void(AuditRecord const&)>;
  explicit Monitor(AuditSink audit);

  /// The only place that makes a Permit. Instantiated for the 13 operations.
  template <class Op>
  Authorization<Op> authorize(Op operation, WallTime now);

  /// Replaces the policy. Labels of running VMs keep their meaning by name; a VM whose label no
  /// longer exists is reported by `orphans()` and every decision about it denies.
  void load(Permit<PolicyLoad>&& permit, std::shared_ptr<CompiledPolicy const> next);
  CompiledPolicy const& policy() const noexcept;
  std::shared_ptr<CompiledPolicy const> share_policy() const noexcept;
  Revision revision() const noexcept;

  /// Chinese Wall state: counts running VMs per label. vm_start's permit adds, vm_stop's removes.
  LabelSet running() const noexcept;
  void started(Permit<VmStart> const& permit);
  void stopped(Permit<VmStop> const& permit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shamon
