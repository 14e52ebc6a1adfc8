// What comes through the status feed, and what of it may be believed. Both questions are answered
// without a clock or a socket.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "coalition/messages/status.hpp"

namespace shamon {

using FeedStatement = std::variant<StatusChange, Heartbeat, FeedChallenge>;

/// Name and data of one server-sent event. Unknown names are `unsupported`, so that a newer
/// authority may add some. Errors: `malformed`, `too_large`, `untrusted` (signature, type).
Result<FeedStatement> read_feed_event(std::string_view name, std::string_view data,
                                      PublicKey const& status_key);
/// The data of an event: base64 of the signed statement. For the authority.
Result<std::string> write_feed_change(StatusChange const& change, PrivateKey const& key);
Result<std::string> write_feed_heartbeat(Heartbeat const& heartbeat, PrivateKey const& key);
Result<std::string> write_feed_challenge(FeedChallenge const& challenge, PrivateKey const& key);

enum class ChangeVerdict : std::uint8_t {
  next,      ///< exactly the next revision: apply it
  replayed,  ///< applied before: ignore
  gap,       ///< changes are missing: follow again from the last revision
};
enum class HeartbeatVerdict : std::uint8_t {
  fresh,              ///< extends the lease
  sequence_replayed,  ///< not after the previous one of this connection
  time_replayed,      ///< not later than the previous one of any connection
  time_off,           ///< too far from our clock
  behind,             ///< the authority is at a later revision than we: changes are missing
  revision_back,  ///< the authority is at an earlier revision than we: its state was rolled back
  lease_unreasonable,  ///< outside kLeaseMin_ms…kLeaseMax_ms
};
char const* to_string(HeartbeatVerdict verdict) noexcept;

/// The order of a feed: revisions step by one for ever; heartbeats go forward in sequence within a
/// connection and in time across all of them, so an old one never extends a lease.
class FeedOrder {
 public:
  explicit FeedOrder(Revision last) noexcept : revision_(last) {}
  Revision revision() const noexcept { return revision_; }
  /// An acceptance brought everything up to `revision`, which is not less than ours.
  void jump(Revision revision) noexcept { revision_ = revision; }
  void connected() noexcept { sequence_.reset(); }
  /// `next` moves on to the change's revision.
  ChangeVerdict judge(StatusChange const& change) noexcept;
  HeartbeatVerdict judge(Heartbeat const& heartbeat, WallTime wall) noexcept;

 private:
  Revision revision_;
  std::optional<std::uint64_t> sequence_;
  std::optional<WallTime> time_;
};

}  // namespace shamon
