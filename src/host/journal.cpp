#include "host/journal.hpp"

#include <cstdio>

#include <sys/stat.h>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "monitor/audit_text.hpp"
#include "policy/decision_text.hpp"

namespace shamon {

std::string rule_text(StatementOrigin const& origin, Revision revision) {
  if (origin.file.empty()) return "revision " + std::to_string(revision.value());
  return origin.file + ":" + std::to_string(origin.line) + " revision " +
         std::to_string(revision.value());
}

Journal::Journal(HostName host, std::string folder)
    : host_(std::move(host)), folder_(std::move(folder)) {}

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

void Journal::audit(AuditRow row) {
  append("audit.jsonl", encode_json(row));
  audits_.push_back(std::move(row));
  if (audits_.size() > kAuditKept) audits_.pop_front();
}

void Journal::audit(AuditRecord const& record, CompiledPolicy const& policy, std::uint64_t count) {
  AuditRow row;
  row.count = count;
  row.time = record.time;
  row.hook = to_string(record.hook);
  row.verdict = record.verdict == Verdict::allow ? "allowed" : "denied";
  row.reason = to_string(record.reason);
  row.subject = record.subject;
  row.object = record.object;
  row.subject_label = policy.label_name(record.subject_label).value();
  row.object_label = policy.label_name(record.object_label).value();
  row.rule = rule_text(policy.origin(record.statement), record.revision);
  row.text = describe(record, policy);
  row.avc = to_avc(record, policy);
  row.revision = record.revision;
  audit(std::move(row));
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
