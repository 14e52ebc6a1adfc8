#include "net/server_sent_events.hpp"

#include "net/limits.hpp"

namespace shamon {
namespace {

void append_one_line(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  for (char c : value) {
    if (c != '\n' && c != '\r' && c != '\0') out += c;
  }
  out += '\n';
}

}  // namespace

std::string format_event(ServerSentEvent const& event) {
  std::string out;
  if (!event.id.empty()) append_one_line(out, "id: ", event.id);
  if (!event.name.empty()) append_one_line(out, "event: ", event.name);
  std::string_view data = event.data;
  for (;;) {
    std::size_t const at = data.find('\n');
    append_one_line(out, "data: ", data.substr(0, at));
    if (at == std::string_view::npos) break;
    data.remove_prefix(at + 1);
  }
  out += '\n';
  return out;
}

Status EventParser::feed(std::string_view text,
                         std::function<void(ServerSentEvent const&)> const& on_event) {
  for (char const c : text) {
    bool const second_half = after_cr_ && c == '\n';  // of a CR LF
    after_cr_ = c == '\r';
    if (second_half) continue;
    if (c == '\r' || c == '\n') {
      take_line(on_event);
      continue;
    }
    if (line_.size() + event_.data.size() >= kEventBytesMax) {
      return fail(Errc::too_large, "server-sent event");
    }
    line_ += c;
  }
  return {};
}

void EventParser::take_line(std::function<void(ServerSentEvent const&)> const& on_event) {
  std::string line = std::exchange(line_, {});
  std::string_view text = line;
  if (std::exchange(at_start_, false) && text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (text.empty()) {
    if (std::exchange(has_data_, false)) on_event(event_);
    event_.name.clear();
    event_.data.clear();
    return;
  }
  std::size_t const colon = text.find(':');
  std::string_view const name = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    event_.name = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    event_.id = value;
  }
}

}  // namespace shamon
