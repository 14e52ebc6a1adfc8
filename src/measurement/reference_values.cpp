#include "measurement/reference_values.hpp"

namespace shamon {
namespace {

using Standing = ReferenceValues::Standing;

Standing standing_of(ReferenceValue const& value, WallTime now) {
  if (!value.trusted) return Standing::untrusted;
  if (value.retired_after && *value.retired_after < now) return Standing::retired;
  return Standing::trusted;
}

/// A distrust is never outvoted; otherwise one valid entry is enough.
Standing combine(Standing a, Standing b) {
  for (Standing strongest : {Standing::untrusted, Standing::trusted, Standing::retired}) {
    if (a == strongest || b == strongest) return strongest;
  }
  return Standing::unknown;
}

}  // namespace

void ReferenceValues::add(ReferenceValue value) {
  by_digest_.emplace(value.digest, values_.size());
  values_.push_back(std::move(value));
}

std::size_t ReferenceValues::remove(std::string const& component, Digest const& digest) {
  std::size_t const removed = std::erase_if(values_, [&](ReferenceValue const& value) {
    return value.component == component && value.digest == digest;
  });
  if (removed == 0) return 0;
  by_digest_.clear();
  for (std::size_t i = 0; i < values_.size(); ++i) by_digest_.emplace(values_[i].digest, i);
  return removed;
}

Standing ReferenceValues::standing(std::string const& component, Digest const& digest,
                                   WallTime now) const {
  Standing result = Standing::unknown;
  auto const [begin, end] = by_digest_.equal_range(digest);
  for (auto it = begin; it != end; ++it) {
    ReferenceValue const& value = values_[it->second];
    if (value.component == component) result = combine(result, standing_of(value, now));
  }
  return result;
}

Standing ReferenceValues::standing(Digest const& digest, WallTime now) const {
  Standing result = Standing::unknown;
  auto const [begin, end] = by_digest_.equal_range(digest);
  for (auto it = begin; it != end; ++it) {
    result = combine(result, standing_of(values_[it->second], now));
  }
  return result;
}

std::vector<ReferenceValue> ReferenceValues::known(std::string const& component) const {
  std::vector<ReferenceValue> matching;
  for (ReferenceValue const& value : values_) {
    if (value.component == component) matching.push_back(value);
  }
  return matching;
}

}  // namespace shamon
