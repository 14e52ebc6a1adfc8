#include "audit/verify_chain.hpp"

#include <algorithm>
#include <unordered_map>

#include "audit/limits.hpp"
#include "base/file.hpp"
#include "base/time_text.hpp"

namespace shamon {
namespace {

struct Line {
  std::size_t file = 0;
  std::uint64_t number = 0;  ///< from 1
  std::string_view text;
  AuditLine parsed;
  std::string digest;
};

class Verifier {
 public:
  Verifier(std::span<JournalFile const> files, ChainExpectations const& expected)
      : files_(files), expected_(expected) {}

  ChainVerdict run() {
    if (read()) {
      for (std::size_t i = 0; i < lines_.size() && verdict_.holds(); ++i) check(i);
      if (verdict_.holds()) check_end();
    }
    return std::move(verdict_);
  }

 private:
  bool read();
  bool read_file(std::size_t file, std::vector<Line>& out);
  void check(std::size_t i);
  void explain_break(std::size_t i);
  void check_signer(std::size_t i);
  void check_end();
  void check_known();

  bool follows(std::size_t i, std::uint64_t sequence, std::string_view previous) const {
    return i < lines_.size() && lines_[i].parsed.sequence == sequence &&
           lines_[i].parsed.previous == previous;
  }
  void blame(ChainFault fault, std::size_t i, std::string text) {
    verdict_.fault = fault;
    verdict_.file = files_[lines_[i].file].name;
    verdict_.line = lines_[i].number;
    verdict_.sequence = lines_[i].parsed.sequence;
    verdict_.text = std::move(text);
  }
  std::string place(std::size_t i) const {
    return files_[lines_[i].file].name + ":" + std::to_string(lines_[i].number);
  }

  std::span<JournalFile const> files_;
  ChainExpectations const& expected_;
  std::vector<Line> lines_;
  std::unordered_map<std::string, std::size_t> by_digest_;
  std::unordered_map<std::uint64_t, std::size_t> by_sequence_;  ///< the last line of that number
  ChainVerdict verdict_;
};

bool Verifier::read_file(std::size_t file, std::vector<Line>& out) {
  std::string_view rest = as_text(files_[file].bytes);
  for (std::uint64_t number = 1; !rest.empty(); ++number) {
    std::size_t const end = rest.find('\n');
    if (end == std::string_view::npos) {
      // Only the file that is written to may end so; verify() finds out which that is.
      out.push_back({file, number, rest, {}, ""});
      return true;
    }
    Line line{file, number, rest.substr(0, end), {}, ""};
    auto parsed = parse_audit_line(line.text);
    if (!parsed) {
      verdict_.fault = ChainFault::malformed;
      verdict_.file = files_[file].name;
      verdict_.line = number;
      verdict_.text = "this is no line of a journal: " + parsed.error().describe();
      return false;
    }
    line.parsed = std::move(*parsed);
    line.digest = line_digest(line.text);
    out.push_back(std::move(line));
    rest.remove_prefix(end + 1);
  }
  return true;
}

bool Verifier::read() {
  std::vector<std::vector<Line>> read(files_.size());
  for (std::size_t file = 0; file < files_.size(); ++file) {
    if (!read_file(file, read[file])) return false;
  }
  std::erase_if(read, [](auto const& lines) { return lines.empty(); });
  std::stable_sort(read.begin(), read.end(), [](auto const& a, auto const& b) {
    return a.front().parsed.sequence < b.front().parsed.sequence;
  });
  for (auto& lines : read) {
    for (auto& line : lines) lines_.push_back(std::move(line));
  }
  // A fragment without its newline is a line its writer was killed in: the last, or none.
  if (!lines_.empty() && lines_.back().digest.empty()) {
    verdict_.torn_bytes = lines_.back().text.size();
    lines_.pop_back();
  }
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].digest.empty()) {
      blame(ChainFault::malformed, i, "this line has no end, and others follow it");
      return false;
    }
    by_digest_.emplace(lines_[i].digest, i);
    by_sequence_[lines_[i].parsed.sequence] = i;
  }
  if (lines_.empty()) {
    verdict_.fault = ChainFault::empty;
    if (!files_.empty()) verdict_.file = files_.front().name;
    verdict_.text = "there is no line in it";
    return false;
  }
  verdict_.first_sequence = lines_.front().parsed.sequence;
  return true;
}

void Verifier::check(std::size_t i) {
  AuditLine const& line = lines_[i].parsed;
  bool const first = i == 0;
  bool const chained = first ? line.sequence != 1 || line.previous == no_previous()
                             : follows(i, lines_[i - 1].parsed.sequence + 1, lines_[i - 1].digest);
  if (!chained) return explain_break(i);
  if (first && !line.start) {
    return blame(ChainFault::removed, i, "a file of a journal begins with a start, this does not");
  }
  check_signer(i);
  if (!verdict_.holds()) return;
  verdict_.last_sequence = line.sequence;
  if (!line.head) ++verdict_.unsigned_lines;
  if (line.record) ++verdict_.records;
  if (line.note) ++verdict_.notes;
  if (line.start) {
    verdict_.host = line.start->host;
    if (line.start->reason == "restart") ++verdict_.restarts;
  }
  verdict_.ended_cleanly = line.head && line.head->reason == "shutdown";
}

/// Line i does not follow line i - 1: which of the two, or what between them, is wrong?
void Verifier::explain_break(std::size_t i) {
  AuditLine const& line = lines_[i].parsed;
  if (i == 0) return blame(ChainFault::altered, i, "the first line of all follows no other");
  std::uint64_t const expected = lines_[i - 1].parsed.sequence + 1;
  std::string const& before = lines_[i - 1].digest;
  bool const has_predecessor = by_digest_.contains(line.previous);
  std::string const number = std::to_string(line.sequence);
  if (follows(i + 1, expected, before)) {
    if (has_predecessor && line.sequence >= expected) {
      return blame(ChainFault::reordered, i, "record " + number + " stands before its predecessor");
    }
    return blame(ChainFault::inserted, i,
                 "no other line is chained to this one, which claims to be " + number);
  }
  if (line.previous == before) {
    return blame(ChainFault::altered, i,
                 "it claims to be " + number + " where " + std::to_string(expected) + " follows");
  }
  if (line.sequence > expected) {
    auto const later = by_sequence_.find(expected);
    if (later != by_sequence_.end() && later->second > i) {
      return blame(ChainFault::reordered, i,
                   "record " + number + " stands here, record " + std::to_string(expected) +
                       " only at " + place(later->second));
    }
    std::string const last = std::to_string(line.sequence - 1);
    return blame(ChainFault::removed, i,
                 expected == line.sequence - 1 ? "record " + last + " is missing before this line"
                                               : "records " + std::to_string(expected) + " to " +
                                                     last + " are missing before this line");
  }
  if (line.sequence == expected) {
    // Whose bytes changed: those of this line, which then no longer fit its successor, or those of
    // the line before? A head also proves by its signature which predecessor it had.
    bool const intact = follows(i + 1, expected + 1, lines_[i].digest) || i + 1 == lines_.size();
    std::string const text = "its bytes are not those the next line was chained to";
    if (intact) return blame(ChainFault::altered, i - 1, text);
    return blame(ChainFault::altered, i,
                 "it is not chained to the line before, nor its successor to it");
  }
  // A number that was there before: one of the two lines was put in.
  for (std::size_t k = 1; k < i; ++k) {
    bool const twin = lines_[k].parsed.sequence == line.sequence;
    if (twin && line.previous == lines_[k - 1].digest) {
      return blame(ChainFault::inserted, k,
                   "two lines are record " + number + "; the one at " + place(i) +
                       " is where the chain goes on");
    }
  }
  blame(ChainFault::inserted, i, "record " + number + " stands before it already");
}

void Verifier::check_signer(std::size_t i) {
  AuditLine const& line = lines_[i].parsed;
  std::string const* named = line.head ? &line.head->key : line.start ? &line.start->key : nullptr;
  if (named == nullptr) return;
  auto const key =
      std::find_if(expected_.keys.begin(), expected_.keys.end(),
                   [&](PublicKey const& one) { return audit_key_name(one) == *named; });
  if (key == expected_.keys.end()) {
    std::string given;
    for (auto const& one : expected_.keys) given += " " + audit_key_name(one).substr(0, 16);
    return blame(ChainFault::wrong_key, i,
                 "the journal's key is " + named->substr(0, 16) + "…, given was" + given + "…");
  }
  if (!line.head) return;
  if (!head_holds(line, *key)) {
    std::string const since = verdict_.last_signed == 0
                                  ? "the beginning"
                                  : "the head of number " + std::to_string(verdict_.last_signed);
    return blame(ChainFault::bad_signature, i,
                 "this head does not sign what stands before it: between " + since +
                     " and here something was altered, removed or inserted and chained anew");
  }
  // The last head of all has no successor that its bytes are chained to; its signature covers what
  // it says, and this that it says it as its writer spells it.
  if (encode_json(line) != lines_[i].text) {
    return blame(ChainFault::altered, i, "this head is spelled otherwise than its writer does");
  }
  ++verdict_.heads;
  verdict_.last_signed = line.sequence;
  verdict_.unsigned_lines = 0;
}

void Verifier::check_known() {
  auto const known = parse_audit_line(*expected_.known);
  std::size_t const last = lines_.size() - 1;
  bool const genuine = known && known->head &&
                       std::any_of(expected_.keys.begin(), expected_.keys.end(),
                                   [&](auto const& key) { return head_holds(*known, key); });
  if (!genuine) {
    blame(ChainFault::bad_signature, last, "the head that was kept apart is not signed by the key");
    verdict_.line = 0;
    return;
  }
  if (known->sequence < verdict_.first_sequence) return;  // of files that were not given
  if (known->sequence > verdict_.last_sequence) {
    return blame(ChainFault::truncated, last,
                 "the journal ends here, but a head of number " + std::to_string(known->sequence) +
                     " was signed at " + to_iso8601(known->head->time));
  }
  std::size_t const at = known->sequence - verdict_.first_sequence;
  if (lines_[at].digest != line_digest(*expected_.known)) {
    blame(ChainFault::altered, at, "the head that was kept apart for this number is another line");
  }
}

void Verifier::check_end() {
  if (expected_.known) check_known();
  if (verdict_.holds() && expected_.all_signed && verdict_.unsigned_lines != 0) {
    blame(ChainFault::unsigned_tail, lines_.size() - verdict_.unsigned_lines,
          "from here on " + std::to_string(verdict_.unsigned_lines) +
              " lines are chained but not signed");
  }
}

}  // namespace

char const* to_string(ChainFault fault) noexcept {
  switch (fault) {
    case ChainFault::none: return "holds";
    case ChainFault::malformed: return "malformed";
    case ChainFault::altered: return "altered";
    case ChainFault::removed: return "removed";
    case ChainFault::inserted: return "inserted";
    case ChainFault::reordered: return "reordered";
    case ChainFault::bad_signature: return "bad signature";
    case ChainFault::wrong_key: return "wrong key";
    case ChainFault::truncated: return "truncated";
    case ChainFault::unsigned_tail: return "unsigned tail";
    case ChainFault::empty: return "empty";
  }
  return "unknown";
}

ChainVerdict verify_chain(std::span<JournalFile const> files, ChainExpectations const& expected) {
  return Verifier(files, expected).run();
}

}  // namespace shamon
