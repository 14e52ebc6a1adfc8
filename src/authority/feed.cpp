#include "authority/feed.hpp"

#include "authority/limits.hpp"
#include "coalition/feed.hpp"

namespace shamon {
namespace {

/// A statement that cannot be signed is not sent.
std::string or_empty(Result<std::string> text) {
  return text ? std::move(*text) : std::string();
}

}  // namespace

ServerSentEvent Feed::signed_change(StatusChange const& change) {
  auto const known = recent_.find(change.revision);
  if (known != recent_.end()) return known->second;
  ServerSentEvent event{std::to_string(change.revision.value()), "change",
                        or_empty(write_feed_change(change, key_))};
  recent_.emplace(change.revision, event);
  if (recent_.size() > kChangesPerReadMax) recent_.erase(recent_.begin());
  return event;
}

Status Feed::open(HostName const& host, std::shared_ptr<EventStream> stream, Revision from,
                  Revision current, std::function<void()> on_close) {
  if (from > current) return fail(Errc::conflict, "that revision does not exist here");
  while (from < current) {
    auto const changes = store_.changes_after(from, kChangesPerReadMax);
    if (!changes) return pass(changes);
    if (changes->empty()) break;
    for (auto const& change : *changes) {
      if (!stream->send(signed_change(change))) return fail(Errc::unreachable, "the member left");
    }
    from = changes->back().revision;
  }
  close(host);
  EventStream* const raw = stream.get();
  stream->on_close([this, host, raw, task = std::move(on_close)] {
    auto const known = streams_.find(host);
    if (known == streams_.end() || known->second.get() != raw) return;
    streams_.erase(known);
    task();
  });
  streams_[host] = std::move(stream);
  return {};
}

void Feed::send_all(ServerSentEvent const& event) {
  if (event.data.empty()) return;
  // A send that fails closes the stream, which may take it out of the map.
  std::vector<std::shared_ptr<EventStream>> streams;
  streams.reserve(streams_.size());
  for (auto const& [host, stream] : streams_) streams.push_back(stream);
  for (auto const& stream : streams) (void)stream->send(event);
}

void Feed::send_change(StatusChange const& change) {
  send_all(signed_change(change));
}

void Feed::send_challenge(FeedChallenge const& challenge) {
  auto const known = streams_.find(challenge.host);
  if (known == streams_.end()) return;
  auto const stream = known->second;
  (void)stream->send({"", "challenge", or_empty(write_feed_challenge(challenge, key_))});
}

void Feed::send_heartbeat(Heartbeat const& heartbeat) {
  send_all({"", "heartbeat", or_empty(write_feed_heartbeat(heartbeat, key_))});
}

void Feed::send_heartbeat(HostName const& host, Heartbeat const& heartbeat) {
  auto const known = streams_.find(host);
  if (known == streams_.end()) return;
  auto const stream = known->second;
  (void)stream->send({"", "heartbeat", or_empty(write_feed_heartbeat(heartbeat, key_))});
}

void Feed::close(HostName const& host) {
  auto const known = streams_.find(host);
  if (known == streams_.end()) return;
  auto const stream = std::move(known->second);
  streams_.erase(known);
  stream->close();
}

}  // namespace shamon
