#include "host/journal.hpp"

#include <cstdio>

#include <sys/stat.h>

#include "base/clock.hpp"
#include "base/file.hpp"

namespace shamon {

std::string rule_text(StatementOrigin const& origin, Revision revision) {
  if (origin.file.empty()) return "revision " + std::to_string(revision.value());
  return origin.file + ":" + std::to_string(origin.line) + " revision " +
         std::to_string(revision.value());
}

Journal::Journal(HostName host, std::string folder, AuditLog log)
    : host_(std::move(host)), folder_(std::move(folder)), log_(std::move(log)) {
  for (auto& row : log_.take_earlier()) {
    audits_.push_back(std::move(row));
    if (audits_.size() > kAuditKept) audits_.pop_front();
  }
}

Journal::~Journal() {
  WallTime const now = read_wall_clock();
  write_held_back(limiter_.all(now));
  auto closed = log_.close(now);
  if (!closed) std::fprintf(stderr, "journal: %s\n", closed.error().describe().c_str());
}

void Journal::append(std::string const& file, std::string const& line) {
  std::string const path = folder_ + "/" + file;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 &&
      static_cast<std::uint64_t>(info.st_size) > kJournalFileBytesMax) {
    (void)::rename(path.c_str(), (path + ".1").c_str());
  }
  auto written = append_to_file(path, as_bytes(line + "\n"));
  if (!written) std::fprintf(stderr, "journal: %s\n", written.error().describe().c_str());
}

void Journal::event(std::string kind, std::string subject, std::string object, std::string text,
                    Revision revision, std::vector<FindingMessage> findings) {
  EventRow row;
  row.kind = std::move(kind);
  row.subject = std::move(subject);
  row.object = std::move(object);
  row.text = std::move(text);
  row.revision = revision;
  row.findings = std::move(findings);
  event(std::move(row));
}

void Journal::event(EventRow row) {
  row.time = read_wall_clock();
  row.monotonic_ns = read_monotonic_clock().ns;
  row.source = host_.value();
  std::string const line = encode_json(row);
  append("events.jsonl", line);
  std::fprintf(stderr, "%s %s%s%s %s\n", row.kind.c_str(), row.subject.c_str(),
               row.object.empty() ? "" : " -> ", row.object.c_str(), row.text.c_str());
  ServerSentEvent const sent{std::to_string(next_event_), "event", line};
  std::erase_if(followers_, [&](auto const& stream) { return !stream->send(sent); });
  events_.emplace_back(next_event_++, std::move(row));
  if (events_.size() > kEventsKept) events_.pop_front();
}

void Journal::write_audit(AuditRow row) {
  auto number = log_.append(row);
  if (number) row.sequence = *number;
  if (!number) std::fprintf(stderr, "journal: %s\n", number.error().describe().c_str());
  std::string line;
  std::erase_if(audit_followers_, [&](AuditFollower const& follower) {
    if (follower.denied_only && row.verdict != "denied") return !follower.stream->open();
    if (line.empty()) line = encode_json(row);
    return !follower.stream->send({std::to_string(row.sequence), "audit", line});
  });
  bool const refused_packet = row.hook == "flow_out" || row.hook == "flow_in";
  if (row.verdict == "denied" && refused_packet) {
    event("denied", row.subject, row.object, row.text, row.revision);
  }
  audits_.push_back(std::move(row));
  if (audits_.size() > kAuditKept) audits_.pop_front();
}

void Journal::audit(AuditRow row) {
  if (limiter_.admit(row, read_monotonic_clock())) write_audit(std::move(row));
}

void Journal::write_held_back(std::vector<AuditRow> rows) {
  for (auto& row : rows) write_audit(std::move(row));
}

void Journal::lost(std::uint64_t count, std::string text) {
  auto told = log_.append({read_wall_clock(), "lost", std::move(text), count, {}});
  if (!told) std::fprintf(stderr, "journal: %s\n", told.error().describe().c_str());
}

void Journal::tick(Instant now) {
  WallTime const wall = read_wall_clock();
  write_held_back(limiter_.due(now, wall));
  auto done = log_.tick(now, wall);
  if (!done) std::fprintf(stderr, "journal: %s\n", done.error().describe().c_str());
}

void Journal::follow_audit(std::shared_ptr<EventStream> stream, std::uint64_t after,
                           bool denied_only) {
  for (auto const& row : audits_) {
    if (row.sequence <= after || (denied_only && row.verdict != "denied")) continue;
    stream->send({std::to_string(row.sequence), "audit", encode_json(row)});
  }
  audit_followers_.push_back({std::move(stream), denied_only});
}

void Journal::follow(std::shared_ptr<EventStream> stream, std::uint64_t after) {
  for (auto const& [id, row] : events_) {
    if (id > after) stream->send({std::to_string(id), "event", encode_json(row)});
  }
  followers_.push_back(std::move(stream));
}

EventList Journal::events() const {
  EventList out;
  for (auto const& [id, row] : events_) out.events.push_back(row);
  return out;
}

AuditList Journal::audits(bool denied_only, std::size_t limit) const {
  AuditList out;
  for (auto it = audits_.rbegin(); it != audits_.rend() && out.records.size() < limit; ++it) {
    if (!denied_only || it->verdict == "denied") out.records.push_back(*it);
  }
  std::reverse(out.records.begin(), out.records.end());
  return out;
}

}  // namespace shamon
