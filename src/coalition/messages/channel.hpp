// Channels between VMs of one machine, at its monitor's local socket: GET and POST /v1/channels,
// POST /v1/channels/{id}/close (docs/shared-memory.md).
#pragma once

#include "coalition/messages/common.hpp"

namespace shamon {

struct ShareRequest {  ///< POST /v1/channels
  VmName owner, user;
  std::uint64_t size_bytes = 0;
  std::uint64_t events = 0;  ///< doorbells in each direction
  bool read_only = false;    ///< for the user
  static constexpr auto kFields =
      fields(field("owner", &ShareRequest::owner), field("user", &ShareRequest::user),
             field("size_bytes", &ShareRequest::size_bytes), field("events", &ShareRequest::events),
             field("read_only", &ShareRequest::read_only));
  static constexpr Limits kLimits{.bytes_max = 4096};
};
struct ChannelRow {
  std::uint64_t channel = 0;
  VmName owner, user;
  LabelName owner_label, user_label;
  std::uint64_t size_bytes = 0, events = 0;
  bool read_only = false;
  std::string state;   ///< "opening" "open" "closing" "closed" "refused"
  std::string reason;  ///< why it is being closed, or was
  std::uint64_t rings_of_owner = 0, rings_of_user = 0;
  static constexpr auto kFields = fields(
      field("channel", &ChannelRow::channel), field("owner", &ChannelRow::owner),
      field("user", &ChannelRow::user), field("owner_label", &ChannelRow::owner_label),
      field("user_label", &ChannelRow::user_label), field("size_bytes", &ChannelRow::size_bytes),
      field("events", &ChannelRow::events), field("read_only", &ChannelRow::read_only),
      field("state", &ChannelRow::state), field("reason", &ChannelRow::reason),
      field("rings_of_owner", &ChannelRow::rings_of_owner),
      field("rings_of_user", &ChannelRow::rings_of_user));
  static constexpr Limits kLimits{.bytes_max = 16u << 10};
};
struct ChannelList {  ///< GET /v1/channels
  std::vector<ChannelRow> channels;
  static constexpr auto kFields = fields(field("channels", &ChannelList::channels));
  static constexpr Limits kLimits{.bytes_max = 1u << 20};
};

}  // namespace shamon
