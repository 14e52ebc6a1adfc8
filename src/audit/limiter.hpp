// One VM's flood of like refusals must not push out what others did: a token bucket for each
// (subject, hook, reason). What is held back is counted and told in one row, never dropped.
#pragma once

#include <list>
#include <map>
#include <tuple>
#include <vector>

#include "coalition/messages/operator.hpp"

namespace shamon {

class AuditLimiter {
 public:
  /// True: write it. False: it is counted, and a later summary stands for it. Hooks outside normal
  /// processing (a VM's life, policy) always pass: there are few, and each matters.
  bool admit(AuditRow const& row, Instant now);
  /// Summaries that are due: one a bucket and kAuditSummaryPeriod.
  std::vector<AuditRow> due(Instant now, WallTime wall);
  /// All that is held back, whatever the time: before the end.
  std::vector<AuditRow> all(WallTime wall);
  std::uint64_t held_back() const noexcept { return held_back_; }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;
  struct Bucket {
    std::uint32_t tokens;
    Instant filled, told, used;
    std::uint64_t held_back = 0;
    WallTime first;  ///< of what is held back
    AuditRow last;
  };
  static AuditRow summary(Bucket& bucket, WallTime wall);
  Bucket& bucket_of(AuditRow const& row, Instant now);

  std::map<Key, Bucket> buckets_;
  std::vector<AuditRow> given_up_;  ///< summaries of buckets that made room
  std::uint64_t held_back_ = 0;
};

}  // namespace shamon
