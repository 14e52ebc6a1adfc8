// Where the authority's memory is kept: append a revisioned change, read a snapshot, read on from a
// revision. Two implementations are meant: sqlite/ (embedded, the default) and etcd.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "authority/record.hpp"
#include "coalition/messages/status.hpp"

namespace shamon {

/// Everything that is true now.
struct StoreSnapshot {
  Revision revision;  ///< of the last change; 0: none yet
  std::vector<HostRecord> hosts;
  std::vector<VmEntry> vms;
  std::vector<ReferenceValueMessage> reference_values;
  PolicyMessage policy;  ///< revision 0: none yet
};

/// What becomes true at once, or not at all.
struct StoreBatch {
  std::vector<StatusChange> changes;  ///< revisions continue the store's without a gap
  std::vector<HostRecord> hosts;      ///< replace those of the same name
  std::vector<VmEntry> vms;
  std::optional<std::vector<ReferenceValueMessage>> reference_values;  ///< replace all
  std::optional<PolicyMessage> policy;
};

class Store {
 public:
  virtual ~Store() = default;
  /// Durable when it returns. Errors: `conflict` if a revision does not continue (somebody else
  /// wrote; nothing was changed), `system`.
  virtual Status append(StoreBatch const& batch) = 0;
  virtual Result<StoreSnapshot> snapshot() = 0;
  /// The changes after a revision, in order, at most `count_max`.
  virtual Result<std::vector<StatusChange>> changes_after(Revision after,
                                                          std::size_t count_max) = 0;
};

}  // namespace shamon
