// What happened on this machine: events for `shamon watch`, audit records for `shamon audit`, both
// kept as a bounded tail in memory and in files of the state folder.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/limiter.hpp"
#include "host/audit_log.hpp"
#include "net/http.hpp"
#include "policy/compiled_policy.hpp"

namespace shamon {

inline constexpr std::size_t kEventsKept = 2000;
inline constexpr std::size_t kAuditKept = 10'000;
/// A file of events that reaches this size is renamed to NAME.1, replacing the one before.
inline constexpr std::uint64_t kJournalFileBytesMax = 64u << 20;

class Journal {
 public:
  Journal(HostName host, std::string folder, AuditLog log);
  /// Tells what was held back and signs a last head.
  ~Journal();
  Journal(Journal const&) = delete;
  Journal& operator=(Journal const&) = delete;

  void event(std::string kind, std::string subject, std::string object, std::string text,
             Revision revision = {}, std::vector<FindingMessage> findings = {});
  void event(EventRow row);
  /// Writes the row, or holds it back if its VM has too many of the kind (AuditLimiter): what is
  /// held back is told in a summary. Denials on the packet path become events as well.
  void audit(AuditRow row);
  /// Records that never reached the journal: "lost" in it.
  void lost(std::uint64_t count, std::string text);
  /// Once a second: summaries and heads that are due.
  void tick(Instant now);

  /// Sends the kept tail from `after` on, then everything that follows.
  void follow(std::shared_ptr<EventStream> stream, std::uint64_t after);
  EventList events() const;
  AuditList audits(bool denied_only, std::size_t limit) const;
  /// Sends the kept rows with a number above `after`, then what is written.
  void follow_audit(std::shared_ptr<EventStream> stream, std::uint64_t after, bool denied_only);
  AuditLog const& log() const noexcept { return log_; }

 private:
  struct AuditFollower {
    std::shared_ptr<EventStream> stream;
    bool denied_only;
  };
  void append(std::string const& file, std::string const& line);
  void write_audit(AuditRow row);
  void write_held_back(std::vector<AuditRow> rows);

  HostName host_;
  std::string folder_;
  std::deque<std::pair<std::uint64_t, EventRow>> events_;
  std::deque<AuditRow> audits_;
  std::vector<std::shared_ptr<EventStream>> followers_;
  AuditLog log_;
  AuditLimiter limiter_;
  std::vector<AuditFollower> audit_followers_;
  std::uint64_t next_event_ = 1;
};

std::string rule_text(StatementOrigin const& origin,
                      Revision revision);  ///< "boinc.policy:12 revision 7"

}  // namespace shamon
