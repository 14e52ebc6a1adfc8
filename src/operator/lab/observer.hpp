// Looks at a running laboratory from outside, through the daemons' own APIs, as any operator can.
#pragma once

#include <map>
#include <optional>

#include "coalition/messages/operator.hpp"
#include "operator/lab/laboratory.hpp"

namespace shamon {

class Observer {
 public:
  explicit Observer(Laboratory& lab) : lab_(lab) {}

  std::optional<HostRow> host(std::string const& name);
  std::optional<HostStatus> monitor(std::string const& machine);
  std::vector<VmEntry> vms();
  std::vector<EventRow> authority_events();
  std::vector<EventRow> events(std::string const& machine);
  std::vector<AuditRow> denied(std::string const& machine);
  std::optional<Explanation> explain(std::string const& socket, std::string const& target);

  /// The first event of these that `matches`, waiting for it up to `limit`.
  std::optional<EventRow> wait_event(std::string const& machine_or_authority, Duration limit,
                                     std::function<bool(EventRow const&)> const& matches);
  static bool wait(Duration limit, std::function<bool()> const& done);
  /// Lines of a guest's console log that contain `text`.
  std::vector<std::string> console_lines(std::string const& vm, std::string const& text);

 private:
  template <class Message>
  std::optional<Message> ask(std::string const& socket, std::string const& target);
  Laboratory& lab_;
};

}  // namespace shamon
