// The event stream format (WHATWG HTML §9.2.5, §9.2.6): writing and reading in one place.
#pragma once

#include "net/http.hpp"

namespace shamon {

/// Lines of `data` become one "data:" line each; line ends in id and name are left out.
std::string format_event(ServerSentEvent const& event);

class EventParser {
 public:
  /// Reads on and calls `on_event` per event. An event without data is none; an id holds until the
  /// next. Errors: `too_large` for an event over kEventBytesMax; the parser is then spent.
  Status feed(std::string_view text, std::function<void(ServerSentEvent const&)> const& on_event);

 private:
  void take_line(std::function<void(ServerSentEvent const&)> const& on_event);

  std::string line_;
  ServerSentEvent event_;
  bool has_data_ = false;
  bool at_start_ = true;
  bool after_cr_ = false;
};

}  // namespace shamon
