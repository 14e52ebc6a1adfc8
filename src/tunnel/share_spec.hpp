// What a channel is made of, as the host monitor describes it, and the rights it lives on.
#pragma once

#include <optional>

#include "base/channel_id.hpp"
#include "monitor/permit.hpp"

namespace shamon {

struct ShareSpec {
  ChannelId id;
  VmName owner, user;
  LabelName owner_label, user_label;
  std::uint64_t size_bytes = 0;
  std::uint32_t events = 0;  ///< in each direction
  bool writable = true;      ///< by the user; the owner always writes
};

/// Of one policy revision. No event permits: the channel has none.
struct SharePermits {
  Permit<MemoryShare> memory;
  std::optional<Permit<EventBind>> to_user, to_owner;
};

}  // namespace shamon
