#include "operator/lab/observer.hpp"

#include <sstream>
#include <thread>

#include "base/clock.hpp"
#include "base/file.hpp"

namespace shamon {

template <class Message>
std::optional<Message> Observer::ask(std::string const& socket, std::string const& target) {
  ApiClient client(socket);
  auto body = client.get(target);
  if (!body) return {};
  auto message = decode_json<Message>(*body);
  if (!message) return {};
  return std::move(*message);
}

std::optional<HostRow> Observer::host(std::string const& name) {
  return ask<HostRow>(lab_.authority_socket(), "/v1/hosts/" + name);
}

std::optional<HostStatus> Observer::monitor(std::string const& machine) {
  return ask<HostStatus>(lab_.host_socket(machine), "/v1/host");
}

std::vector<VmEntry> Observer::vms() {
  auto list = ask<VmList>(lab_.authority_socket(), "/v1/vms");
  return list ? std::move(list->vms) : std::vector<VmEntry>{};
}

std::vector<EventRow> Observer::authority_events() {
  auto list = ask<EventList>(lab_.authority_socket(), "/v1/events?json=1");
  return list ? std::move(list->events) : std::vector<EventRow>{};
}

std::vector<EventRow> Observer::events(std::string const& machine) {
  auto list = ask<EventList>(lab_.host_socket(machine), "/v1/events?json=1");
  return list ? std::move(list->events) : std::vector<EventRow>{};
}

std::vector<AuditRow> Observer::denied(std::string const& machine) {
  auto list = ask<AuditList>(lab_.host_socket(machine), "/v1/audit?denied=1&limit=1000");
  return list ? std::move(list->records) : std::vector<AuditRow>{};
}

std::optional<Explanation> Observer::explain(std::string const& socket, std::string const& target) {
  return ask<Explanation>(socket, target);
}

bool Observer::wait(Duration limit, std::function<bool()> const& done) {
  Instant const end = read_monotonic_clock() + limit;
  while (!done()) {
    if (read_monotonic_clock() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

std::optional<EventRow> Observer::wait_event(std::string const& source, Duration limit,
                                             std::function<bool(EventRow const&)> const& matches) {
  std::optional<EventRow> found;
  wait(limit, [&] {
    for (auto const& event : source == "authority" ? authority_events() : events(source)) {
      if (!matches(event)) continue;
      found = event;
      return true;
    }
    return false;
  });
  return found;
}

std::vector<std::string> Observer::console_lines(std::string const& vm, std::string const& text) {
  std::vector<std::string> out;
  auto log = read_file(lab_.console_log_path(vm), 256u << 20);
  if (!log) return out;
  std::istringstream lines{std::string(as_text(*log))};
  for (std::string line; std::getline(lines, line);) {
    if (line.find(text) == std::string::npos) continue;
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
    out.push_back(line);
  }
  return out;
}

}  // namespace shamon
