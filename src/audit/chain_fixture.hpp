// A journal in memory, for tests.
#pragma once

#include "audit/verify_chain.hpp"

namespace shamon {

inline PrivateKey const& journal_key() {
  static PrivateKey const key = *PrivateKey::generate(KeyType::ecdsa_p256);
  return key;
}

inline AuditStart test_writer() {
  AuditStart out;
  out.host = HostName("shype1");
  out.reason = "first";
  out.pid = 4711;
  out.uid = 998;
  out.program = "/usr/sbin/shamond";
  return out;
}

inline AuditRow denied_flow(std::string from = "vm-red", std::string to = "vm-green") {
  AuditRow row;
  row.time = WallTime{1'795'309'205'042};
  row.hook = "flow_out";
  row.verdict = "denied";
  row.reason = "no common type";
  row.subject = std::move(from);
  row.object = std::move(to);
  row.subject_label = "red";
  row.object_label = "green";
  row.service = "tcp/22";
  row.source = "10.44.0.11:40312";
  row.destination = "10.44.0.12:22";
  row.rule = "boinc.policy:12";
  row.text = "denied flow_out red -> green tcp/22 (" + row.subject + " -> " + row.object +
             "): no common type; boinc.policy:12 revision 7";
  row.revision = Revision(7);
  return row;
}

/// Lines as a daemon writes them; each ends in a newline.
class TestJournal {
 public:
  explicit TestJournal(PrivateKey key = journal_key()) : chain_(std::move(key), 0, no_previous()) {
    start("first");
  }
  TestJournal& start(std::string reason) {
    AuditStart writer = test_writer();
    writer.reason = std::move(reason);
    return add(chain_.next(writer), false);
  }
  TestJournal& record(AuditRow row) { return add(chain_.next(std::move(row)), false); }
  TestJournal& records(int count) {
    for (int i = 0; i < count; ++i) record(denied_flow("vm-" + std::to_string(lines.size())));
    return *this;
  }
  TestJournal& head(std::string reason = "periodic") {
    return add(*chain_.next_head(std::move(reason), WallTime{1'795'309'206'000}), true);
  }
  std::string text() const {
    std::string out;
    for (auto const& line : lines) out += line;
    return out;
  }
  std::vector<std::string> lines;

 private:
  TestJournal& add(std::string line, bool is_head) {
    chain_.written(line, is_head);
    lines.push_back(std::move(line));
    return *this;
  }
  ChainWriter chain_;
};

inline ChainVerdict verify_text(std::string const& text, ChainExpectations expected = {}) {
  if (expected.keys.empty()) expected.keys.push_back(journal_key().public_key());
  JournalFile const file{"audit.jsonl", as_bytes(text)};
  return verify_chain(std::span(&file, 1), expected);
}

}  // namespace shamon
