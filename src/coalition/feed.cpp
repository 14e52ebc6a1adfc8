#include "coalition/feed.hpp"

#include <chrono>

#include "base/encoding.hpp"
#include "coalition/limits.hpp"

namespace shamon {
namespace {

/// base64 of a statement with its envelope.
constexpr std::size_t kEventDataBytesMax = (StatusChange::kLimits.bytes_max + 4096) / 3 * 4;

template <class Message>
Result<std::string> write_statement(std::string_view content_type, Message const& message,
                                    PrivateKey const& key) {
  auto const signed_bytes = sign_statement(content_type, encode_cbor(message), key);
  if (!signed_bytes) return pass(signed_bytes);
  return to_base64(*signed_bytes);
}

template <class Message>
Result<FeedStatement> read(std::string_view content_type, ByteView bytes, PublicKey const& key) {
  auto const payload = verify_statement(content_type, bytes, key);
  if (!payload) return pass(payload);
  auto message = decode_cbor<Message>(*payload, UnknownFields::refuse);
  if (!message) return pass(message);
  return FeedStatement(std::move(*message));
}

}  // namespace

Result<FeedStatement> read_feed_event(std::string_view name, std::string_view data,
                                      PublicKey const& status_key) {
  if (data.size() > kEventDataBytesMax) return fail(Errc::too_large, "feed event too long");
  auto const bytes = from_base64(data);
  if (!bytes) return pass(bytes, "feed event");
  if (name == "change") return read<StatusChange>(kChangeContentType, *bytes, status_key);
  if (name == "heartbeat") return read<Heartbeat>(kHeartbeatContentType, *bytes, status_key);
  if (name == "challenge") return read<FeedChallenge>(kChallengeContentType, *bytes, status_key);
  return fail(Errc::unsupported, "unknown feed event");
}

Result<std::string> write_feed_change(StatusChange const& change, PrivateKey const& key) {
  return write_statement(kChangeContentType, change, key);
}
Result<std::string> write_feed_heartbeat(Heartbeat const& heartbeat, PrivateKey const& key) {
  return write_statement(kHeartbeatContentType, heartbeat, key);
}
Result<std::string> write_feed_challenge(FeedChallenge const& challenge, PrivateKey const& key) {
  return write_statement(kChallengeContentType, challenge, key);
}

char const* to_string(HeartbeatVerdict verdict) noexcept {
  switch (verdict) {
    case HeartbeatVerdict::fresh: return "fresh";
    case HeartbeatVerdict::sequence_replayed: return "its sequence is not after the previous one";
    case HeartbeatVerdict::time_replayed: return "its time is not later than the previous one";
    case HeartbeatVerdict::time_off: return "its time is too far from our clock";
    case HeartbeatVerdict::behind: return "changes before it are missing";
    case HeartbeatVerdict::revision_back: return "its revision is older than ours";
    case HeartbeatVerdict::lease_unreasonable: return "its lease is out of bounds";
  }
  return "unknown";
}

ChangeVerdict FeedOrder::judge(StatusChange const& change) noexcept {
  std::uint64_t const next = change.revision.value();
  if (next <= revision_.value()) return ChangeVerdict::replayed;
  if (next != revision_.value() + 1) return ChangeVerdict::gap;
  revision_ = change.revision;
  return ChangeVerdict::next;
}

HeartbeatVerdict FeedOrder::judge(Heartbeat const& heartbeat, WallTime wall) noexcept {
  if (heartbeat.lease_ms < kLeaseMin_ms || heartbeat.lease_ms > kLeaseMax_ms) {
    return HeartbeatVerdict::lease_unreasonable;
  }
  if (sequence_ && heartbeat.sequence <= *sequence_) return HeartbeatVerdict::sequence_replayed;
  if (time_ && heartbeat.time <= *time_) return HeartbeatVerdict::time_replayed;
  // Compared without a difference that could overflow.
  std::int64_t const off_max = static_cast<std::int64_t>(heartbeat.lease_ms) + kClockSkewMax_ms;
  if (heartbeat.time.unix_ms > wall.unix_ms + off_max ||
      heartbeat.time.unix_ms < wall.unix_ms - off_max) {
    return HeartbeatVerdict::time_off;
  }
  sequence_ = heartbeat.sequence;
  time_ = heartbeat.time;
  if (heartbeat.revision > revision_) return HeartbeatVerdict::behind;
  if (heartbeat.revision < revision_) return HeartbeatVerdict::revision_back;
  return HeartbeatVerdict::fresh;
}

}  // namespace shamon
