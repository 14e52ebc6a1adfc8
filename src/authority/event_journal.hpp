// What happened, for people: the kept tail and those who watch. GET /v1/events.
#pragma once

#include <deque>
#include <vector>

#include "coalition/messages/operator.hpp"
#include "net/http.hpp"

namespace shamon {

class EventJournal {
 public:
  /// Stamps the row with this machine's monotonic clock, keeps it and tells the watchers.
  void add(EventRow row, Instant now);
  /// The kept rows with a number greater than `after`; numbers count from 1.
  EventList after(std::uint64_t number) const;
  /// Sends the kept rows after `number`, then what comes.
  void watch(std::shared_ptr<EventStream> stream, std::uint64_t number);

 private:
  std::deque<EventRow> rows_;
  std::uint64_t last_ = 0;  ///< number of the latest row
  std::vector<std::shared_ptr<EventStream>> watchers_;
};

}  // namespace shamon
