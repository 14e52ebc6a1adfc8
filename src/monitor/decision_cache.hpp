// Decisions about flows, remembered for the packet path. An entry is worth what its revision is: a
// change of policy makes all of them stale at once, without a word to the cache.
#pragma once

#include <array>
#include <cstdint>

#include "monitor/limits.hpp"
#include "policy/decide.hpp"
#include "policy/tables.hpp"

namespace shamon {

/// Direct-mapped; never allocates after construction; for one thread and one line of policy
/// revisions (two coalitions need two caches, as their revisions count separately).
class DecisionCache {
 public:
  /// What decide() says about a flow under the revision of `policy`. INVARIANT(cache-is-decide)
  Decision flow(LabelId from, LabelId to, Service service, CompiledPolicy const& policy) noexcept {
    std::uint64_t const key = std::uint64_t{from.value()} << 48 | std::uint64_t{to.value()} << 32 |
                              std::uint64_t{service.port} << 16 | service.source_port;
    std::uint64_t const revision = policy.tables().rules.revision.value();
    Entry& entry = entries_[slot(key, service.protocol)];
    if (entry.key == key && entry.protocol == service.protocol && entry.revision == revision)
        [[likely]] {
      return entry.decision;
    }
    Request const request{Operation::flow, from, to, service, Revision(revision), nullptr};
    entry = {key, revision, decide(request, policy), service.protocol};
    return entry.decision;
  }

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::uint64_t revision = 0;  ///< 0 matches only the empty policy, which denies as this does
    Decision decision{Verdict::deny, Reason::unknown_label, {}};
    std::uint8_t protocol = 0;
  };

  static std::size_t slot(std::uint64_t key, std::uint8_t protocol) noexcept {
    std::uint64_t const mixed = (key ^ std::uint64_t{protocol} << 40) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(mixed >> 32) % kCachedDecisions;
  }

  std::array<Entry, kCachedDecisions> entries_{};
};

}  // namespace shamon
