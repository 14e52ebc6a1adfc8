#include "authority/event_journal.hpp"

#include "authority/limits.hpp"

namespace shamon {

void EventJournal::add(EventRow row, Instant now) {
  row.monotonic_ns = now.ns;
  rows_.push_back(std::move(row));
  ++last_;
  if (rows_.size() > kEventsKeptMax) rows_.pop_front();
  std::erase_if(watchers_, [](auto const& watcher) { return !watcher->open(); });
  if (watchers_.empty()) return;
  ServerSentEvent const event{std::to_string(last_), rows_.back().kind, encode_json(rows_.back())};
  auto const watchers = watchers_;
  for (auto const& watcher : watchers) (void)watcher->send(event);
}

EventList EventJournal::after(std::uint64_t number) const {
  EventList out;
  std::uint64_t const first = last_ - rows_.size() + 1;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (first + i > number) out.events.push_back(rows_[i]);
  }
  return out;
}

void EventJournal::watch(std::shared_ptr<EventStream> stream, std::uint64_t number) {
  std::uint64_t const first = last_ - rows_.size() + 1;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (first + i <= number) continue;
    if (!stream->send({std::to_string(first + i), rows_[i].kind, encode_json(rows_[i])})) return;
  }
  watchers_.push_back(std::move(stream));
}

}  // namespace shamon
