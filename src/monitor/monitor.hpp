// The reference monitor of one process: holds the policy in force and what runs, answers every
// hook, and writes an audit record either way.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/time.hpp"
#include "monitor/audit_record.hpp"
#include "monitor/operations.hpp"
#include "monitor/permit.hpp"
#include "policy/compiled_policy.hpp"

namespace shamon {

struct Denial {
  AuditRecord record;
};

template <class Op>
using Authorization = tl::expected<Permit<Op>, Denial>;

/// For one thread. Label ids in operations are those of the policy in force: resolve names again
/// after load().
class Monitor {
 public:
  /// `audit` is called once per decision, before the result is returned. It must not throw.
  using AuditSink = std::function<void(AuditRecord const&)>;
  explicit Monitor(AuditSink audit);

  /// The only place that makes a Permit. Instantiated for the 13 operations.
  template <class Op>
  Authorization<Op> authorize(Op operation, WallTime now);

  /// Replaces the policy; `next` has the revision the permit names, greater than the present one.
  /// Labels of running VMs keep their meaning by name; a VM whose label no
  /// longer exists is reported by `orphans()` and every decision about it denies.
  void load(Permit<PolicyLoad>&& permit, std::shared_ptr<CompiledPolicy const> next);
  CompiledPolicy const& policy() const noexcept;
  std::shared_ptr<CompiledPolicy const> share_policy() const noexcept;
  Revision revision() const noexcept;

  /// Running VMs whose label the policy in force does not have; while there are any, no VM starts.
  std::vector<VmName> orphans() const;

  /// Chinese Wall state. A VM counts as running from the moment vm_start (or an incoming
  /// vm_migrate) is permitted, so that two permits can never break a wall together; if the start
  /// then fails, the caller authorizes vm_stop and calls stopped(). started() confirms that it
  /// runs.
  LabelSet running() const noexcept;
  void started(Permit<VmStart> const& permit);
  void stopped(Permit<VmStop> const& permit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shamon
