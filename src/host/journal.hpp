// What happened on this machine: events for `shamon watch`, audit records for `shamon audit`, both
// kept as a bounded tail in memory and appended to files in the state folder.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coalition/messages/operator.hpp"
#include "monitor/audit_record.hpp"
#include "net/http.hpp"

namespace shamon {

inline constexpr std::size_t kEventsKept = 2000;
inline constexpr std::size_t kAuditKept = 10'000;
/// A file that reaches this size is renamed to NAME.1, replacing the one before.
inline constexpr std::uint64_t kJournalFileBytesMax = 64u << 20;

class Journal {
 public:
  Journal(HostName host, std::string folder);

  void event(std::string kind, std::string subject, std::string object, std::string text,
             Revision revision = {}, std::vector<FindingMessage> findings = {});
  void event(EventRow row);
  void audit(AuditRow row);
  /// A decision of this process's own monitor.
  void audit(AuditRecord const& record, CompiledPolicy const& policy, std::uint64_t count = 1);

  /// Sends the kept tail from `after` on, then everything that follows.
  void follow(std::shared_ptr<EventStream> stream, std::uint64_t after);
  EventList events() const;
  AuditList audits(bool denied_only, std::size_t limit) const;

 private:
  void append(std::string const& file, std::string const& line);

  HostName host_;
  std::string folder_;
  std::deque<std::pair<std::uint64_t, EventRow>> events_;
  std::deque<AuditRow> audits_;
  std::vector<std::shared_ptr<EventStream>> followers_;
  std::uint64_t next_event_ = 1;
};

std::string rule_text(StatementOrigin const& origin,
                      Revision revision);  ///< "boinc.policy:12 revision 7"

}  // namespace shamon
