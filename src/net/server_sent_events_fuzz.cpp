// Any text is an event stream: pieces do not matter, and what was read can be written and read
// again.
#include <cstdint>
#include <cstdlib>
#include <tuple>

#include "net/server_sent_events.hpp"

using namespace shamon;

namespace {

using Events = std::vector<std::tuple<std::string, std::string, std::string>>;

Events parse(std::string_view text, std::size_t step) {
  Events events;
  EventParser parser;
  for (std::size_t i = 0; i < text.size(); i += step) {
    if (!parser.feed(text.substr(i, step), [&](ServerSentEvent const& event) {
          events.emplace_back(event.id, event.name, event.data);
        })) {
      std::abort();  // the input is far below the bound
    }
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size < 1) return 0;
  std::string_view const text = as_text({data + 1, size - 1});
  Events const events = parse(text, std::max<std::size_t>(text.size(), 1));
  if (parse(text, 1u + data[0] % 16) != events) std::abort();
  for (auto const& [id, name, content] : events) {
    if (id.find_first_of("\r\n") != std::string::npos) std::abort();
    Events const again = parse(format_event({id, name, content}), 1);
    if (again.size() != 1) std::abort();
  }
  return 0;
}
