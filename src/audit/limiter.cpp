#include "audit/limiter.hpp"

#include <algorithm>
#include <array>

#include "audit/limits.hpp"
#include "base/time_text.hpp"

namespace shamon {
namespace {

/// The hooks of normal processing (monitor/operations.hpp): a VM can have any number of these.
bool may_flood(std::string_view hook) {
  static constexpr std::array<std::string_view, 5> kOften = {
      "memory_share", "event_bind", "association_open", "flow_out", "flow_in"};
  return std::find(kOften.begin(), kOften.end(), hook) != kOften.end();
}

}  // namespace

AuditLimiter::Bucket& AuditLimiter::bucket_of(AuditRow const& row, Instant now) {
  Key key{row.subject, row.hook, row.reason};
  auto at = buckets_.find(key);
  if (at != buckets_.end()) return at->second;
  if (buckets_.size() >= kAuditBucketsMax) {
    auto const oldest = std::min_element(
        buckets_.begin(), buckets_.end(),
        [](auto const& a, auto const& b) { return a.second.used < b.second.used; });
    if (oldest->second.held_back != 0) given_up_.push_back(summary(oldest->second, row.time));
    buckets_.erase(oldest);
  }
  return buckets_.emplace(std::move(key), Bucket{kAuditBurst, now, now, now, 0, {}, {}})
      .first->second;
}

bool AuditLimiter::admit(AuditRow const& row, Instant now) {
  if (!may_flood(row.hook)) return true;
  Bucket& bucket = bucket_of(row, now);
  auto const gained = static_cast<std::uint64_t>((now - bucket.filled) / kAuditRefill);
  if (gained != 0) {
    bucket.tokens =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(kAuditBurst, bucket.tokens + gained));
    bucket.filled = bucket.filled + kAuditRefill * static_cast<std::int64_t>(gained);
  }
  bucket.used = now;
  if (bucket.tokens != 0) {
    --bucket.tokens;
    return true;
  }
  if (bucket.held_back == 0) {
    bucket.first = row.time;
    bucket.told = now;
  }
  bucket.held_back += row.count;
  held_back_ += row.count;
  bucket.last = row;
  return false;
}

AuditRow AuditLimiter::summary(Bucket& bucket, WallTime wall) {
  AuditRow row = bucket.last;
  row.count = bucket.held_back;
  row.summary = true;
  // The like rows differ in these; naming the last would look as if all were to it.
  row.service = row.source = row.destination = "";
  row.text = std::to_string(row.count) + " more like this were not written since " +
             to_iso8601(bucket.first) + "; the last: " + bucket.last.text;
  row.time = wall;
  bucket.held_back = 0;
  return row;
}

std::vector<AuditRow> AuditLimiter::due(Instant now, WallTime wall) {
  std::vector<AuditRow> out = std::exchange(given_up_, {});
  for (auto& [key, bucket] : buckets_) {
    if (bucket.held_back == 0 || now - bucket.told < kAuditSummaryPeriod) continue;
    bucket.told = now;
    out.push_back(summary(bucket, wall));
  }
  return out;
}

std::vector<AuditRow> AuditLimiter::all(WallTime wall) {
  std::vector<AuditRow> out = std::exchange(given_up_, {});
  for (auto& [key, bucket] : buckets_) {
    if (bucket.held_back != 0) out.push_back(summary(bucket, wall));
  }
  return out;
}

}  // namespace shamon
