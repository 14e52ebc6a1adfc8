// The status feed's sending end: signs each statement once and gives it to every member.
#pragma once

#include <deque>
#include <functional>
#include <map>

#include "authority/store.hpp"
#include "net/http.hpp"

namespace shamon {

class Feed {
 public:
  Feed(Store& store, PrivateKey const& status_key) : store_(store), key_(status_key) {}

  /// Sends the changes after `from`, then keeps the stream for what comes. A machine has one
  /// stream; an older one is closed. `on_close` is told when the stream is gone and was not
  /// replaced. Errors: `conflict` if `from` is of the future: then our store lost something.
  Status open(HostName const& host, std::shared_ptr<EventStream> stream, Revision from,
              Revision current, std::function<void()> on_close);
  void send_change(StatusChange const& change);
  void send_challenge(FeedChallenge const& challenge);
  void send_heartbeat(Heartbeat const& heartbeat);
  /// To one member: it just came, and shall not wait for the next beat.
  void send_heartbeat(HostName const& host, Heartbeat const& heartbeat);
  void close(HostName const& host);
  std::size_t size() const noexcept { return streams_.size(); }

 private:
  ServerSentEvent signed_change(StatusChange const& change);
  void send_all(ServerSentEvent const& event);

  Store& store_;
  PrivateKey const& key_;
  std::map<HostName, std::shared_ptr<EventStream>> streams_;
  std::map<Revision, ServerSentEvent> recent_;  ///< signed lately, for members that come back
};

}  // namespace shamon
