// Tells of connections from the network that proved nothing: the first at once, what follows within
// kTellPeriod as one event, so that a flood of them pushes nothing else out of the journal.
#pragma once

#include <optional>

#include "host/journal.hpp"
#include "net/event_loop.hpp"

namespace shamon {

class RefusedConnections {
 public:
  static constexpr Duration kTellPeriod = std::chrono::seconds(10);

  RefusedConnections(EventLoop& loop, Journal& journal) : loop_(loop), journal_(journal) {}
  /// Tells what is left.
  ~RefusedConnections();
  RefusedConnections(RefusedConnections const&) = delete;
  RefusedConnections& operator=(RefusedConnections const&) = delete;

  void add(Endpoint const& from, Error why);

 private:
  bool tell();  ///< false: there is nothing
  void be_quiet();

  EventLoop& loop_;
  Journal& journal_;
  std::uint64_t untold_ = 0;
  Endpoint last_from_;
  Error last_why_;
  std::optional<EventLoop::TimerId> quiet_;  ///< until then none is told
};

}  // namespace shamon
