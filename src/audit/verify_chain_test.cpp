#include "audit/verify_chain.hpp"

#include <gtest/gtest.h>

#include "audit/chain_fixture.hpp"
#include "audit/limits.hpp"

namespace shamon {
namespace {

/// Line 1 start, 2…6 records, 7 head, 8…10 records, 11 head, 12 and 13 records.
TestJournal example() {
  TestJournal out;
  out.records(5).head().records(3).head().records(2);
  return out;
}

std::string join(std::vector<std::string> const& lines) {
  std::string out;
  for (auto const& line : lines) out += line;
  return out;
}

void replace(std::string& text, std::string const& from, std::string const& to) {
  std::size_t const at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

TEST(VerifyChain, what_a_daemon_wrote_holds) {
  ChainVerdict const v = verify_text(example().text());
  EXPECT_TRUE(v.holds()) << v.text;
  EXPECT_EQ(v.host.value(), "shype1");
  EXPECT_EQ(v.records, 10u);
  EXPECT_EQ(v.heads, 2u);
  EXPECT_EQ(v.first_sequence, 1u);
  EXPECT_EQ(v.last_sequence, 13u);
  EXPECT_EQ(v.last_signed, 11u);
  EXPECT_EQ(v.unsigned_lines, 2u);
  EXPECT_FALSE(v.ended_cleanly);
  EXPECT_TRUE(verify_text(example().head("shutdown").text()).ended_cleanly);
}

using Lines = std::vector<std::string>;
struct Tampering {
  char const* name;
  void (*change)(Lines&);
  ChainFault fault;
  std::uint64_t line;
};

void expect_found(Tampering const& row) {
  SCOPED_TRACE(row.name);
  Lines lines = example().lines;
  row.change(lines);
  ChainVerdict const v = verify_text(join(lines));
  EXPECT_EQ(to_string(v.fault), std::string(to_string(row.fault))) << v.text;
  EXPECT_EQ(v.line, row.line) << v.text;
  EXPECT_EQ(v.file, "audit.jsonl");
  EXPECT_FALSE(v.text.empty());
}

TEST(VerifyChain, every_kind_of_tampering_is_found_where_it_is) {
  Tampering const kRows[] = {
      {"a verdict turned round", [](Lines& l) { replace(l[3], "\"denied\"", "\"allowed\""); },
       ChainFault::altered, 4},
      {"one space more", [](Lines& l) { l[3].insert(1, " "); }, ChainFault::altered, 4},
      {"a number changed", [](Lines& l) { replace(l[3], "\"sequence\":4", "\"sequence\":5"); },
       ChainFault::altered, 4},
      {"a digest changed", [](Lines& l) { l[3][l[3].find("previous") + 15] ^= 1; },
       ChainFault::altered, 4},
      {"the first line altered", [](Lines& l) { replace(l[0], "shype1", "shype2"); },
       ChainFault::altered, 1},
      {"the line before a head altered", [](Lines& l) { replace(l[5], "vm-5", "vm-6"); },
       ChainFault::altered, 6},
      {"a record removed", [](Lines& l) { l.erase(l.begin() + 3); }, ChainFault::removed, 4},
      {"three records removed", [](Lines& l) { l.erase(l.begin() + 2, l.begin() + 5); },
       ChainFault::removed, 3},
      {"the beginning removed", [](Lines& l) { l.erase(l.begin(), l.begin() + 2); },
       ChainFault::removed, 1},
      {"a head removed", [](Lines& l) { l.erase(l.begin() + 6); }, ChainFault::removed, 7},
      {"a line twice", [](Lines& l) { l.insert(l.begin() + 4, l[3]); }, ChainFault::inserted, 5},
      {"an old line again", [](Lines& l) { l.insert(l.begin() + 8, l[2]); }, ChainFault::inserted,
       9},
      {"a forged line of the next number",
       [](Lines& l) {
         std::string forged = l[3];
         replace(forged, "vm-3", "vm-9");
         l.insert(l.begin() + 3, forged);
       },
       ChainFault::inserted, 4},
      {"a forged line of a number far off",
       [](Lines& l) {
         std::string forged = l[3];
         replace(forged, "\"sequence\":4", "\"sequence\":400");
         replace(forged, "\"previous\":\"", "\"previous\":\"00");
         replace(forged, "\",\"record", "\",\"record");
         forged.erase(forged.find("\",\"record") - 2, 2);
         l.insert(l.begin() + 3, forged);
       },
       ChainFault::inserted, 4},
      {"two neighbours swapped", [](Lines& l) { std::swap(l[3], l[4]); }, ChainFault::reordered, 4},
      {"two others swapped", [](Lines& l) { std::swap(l[2], l[4]); }, ChainFault::reordered, 3},
      {"a line moved back",
       [](Lines& l) { std::rotate(l.begin() + 2, l.begin() + 3, l.begin() + 6); },
       ChainFault::reordered, 3},
      {"no JSON", [](Lines& l) { l[3] = "hello\n"; }, ChainFault::malformed, 4},
      {"an empty line", [](Lines& l) { l.insert(l.begin() + 3, "\n"); }, ChainFault::malformed, 4},
      {"two lines run together", [](Lines& l) { l[3].pop_back(); }, ChainFault::malformed, 4},
  };
  for (auto const& row : kRows) expect_found(row);
}

/// Everything after line `from` chained anew, as one would who has no key.
void chain_anew(Lines& lines, std::size_t from) {
  for (std::size_t i = from; i < lines.size(); ++i) {
    std::size_t const at = lines[i].find("\"previous\":\"") + 12;
    std::string_view const before = lines[i - 1];
    lines[i].replace(at, 64, line_digest(before.substr(0, before.size() - 1)));
  }
}

TEST(VerifyChain, a_chain_made_anew_fails_at_the_next_signed_head) {
  Lines lines = example().lines;
  replace(lines[3], "vm-3", "vm-9");
  chain_anew(lines, 4);
  ChainVerdict const v = verify_text(join(lines));
  EXPECT_EQ(v.fault, ChainFault::bad_signature) << v.text;
  EXPECT_EQ(v.line, 7u);
}

TEST(VerifyChain, a_head_signed_by_another_key_is_of_another_key) {
  TestJournal const other(*PrivateKey::generate(KeyType::ecdsa_p256));
  ChainVerdict const v = verify_text(other.text());
  EXPECT_EQ(v.fault, ChainFault::wrong_key) << v.text;
  EXPECT_EQ(v.line, 1u);
  // It does not help to claim the right key's name.
  Lines lines = TestJournal(*PrivateKey::generate(KeyType::ecdsa_p256)).records(2).head().lines;
  std::string const name = audit_key_name(journal_key().public_key());
  for (std::size_t const i : {0u, 3u}) lines[i].replace(lines[i].find("\"key\":\"") + 7, 64, name);
  chain_anew(lines, 1);
  EXPECT_EQ(verify_text(join(lines)).fault, ChainFault::bad_signature);
  // Either of two keys may have signed, for a journal whose key was replaced.
  ChainExpectations both;
  both.keys = {PrivateKey::generate(KeyType::ecdsa_p256)->public_key(), journal_key().public_key()};
  EXPECT_TRUE(verify_text(example().text(), both).holds());
}

TEST(VerifyChain, a_cut_off_end_is_seen_only_with_a_head_that_was_kept) {
  Lines const lines = example().lines;
  std::string const kept = lines[10].substr(0, lines[10].size() - 1);
  Lines cut(lines.begin(), lines.begin() + 8);
  EXPECT_TRUE(verify_text(join(cut)).holds()) << "the file alone cannot know";
  ChainExpectations expected;
  expected.known = kept;
  ChainVerdict const v = verify_text(join(cut), expected);
  EXPECT_EQ(v.fault, ChainFault::truncated) << v.text;
  EXPECT_EQ(v.line, 8u);
  EXPECT_TRUE(verify_text(join(lines), expected).holds());
  // The head itself cut off, and nothing else: one line before it is the last.
  EXPECT_EQ(verify_text(join({lines.begin(), lines.begin() + 10}), expected).fault,
            ChainFault::truncated);
  EXPECT_TRUE(verify_text(join({lines.begin(), lines.begin() + 11}), expected).holds());
  // Records in the head's place.
  Lines other(lines.begin(), lines.begin() + 10);
  other.push_back(lines[11]);
  replace(other[10], "\"sequence\":12", "\"sequence\":11");
  chain_anew(other, 10);
  EXPECT_EQ(verify_text(join(other), expected).fault, ChainFault::altered);
  expected.known = kept.substr(0, kept.size() - 8) + "AAAA\"}}";
  EXPECT_EQ(verify_text(join(lines), expected).fault, ChainFault::bad_signature);
}

TEST(VerifyChain, the_last_head_of_all_is_covered_as_well) {
  std::string const whole = example().head("shutdown").text();
  ASSERT_TRUE(verify_text(whole).holds());
  std::size_t const last = whole.rfind("{\"sequence\"");
  struct Row {
    char const* from;
    char const* to;
    ChainFault fault;
  };
  constexpr Row kRows[] = {{"shutdown", "periodic", ChainFault::bad_signature},
                           {"\"head\":{", "\"head\": {", ChainFault::altered},
                           {"}}", "},\"more\":1}", ChainFault::altered},
                           {"\"signature\":\"", "\"signature\":\"AAAA", ChainFault::bad_signature}};
  for (auto const& row : kRows) {
    std::string text = whole;
    text.replace(text.find(row.from, last), std::string_view(row.from).size(), row.to);
    EXPECT_EQ(verify_text(text).fault, row.fault) << row.to;
  }
}

TEST(VerifyChain, a_strict_caller_takes_no_unsigned_tail) {
  ChainExpectations expected;
  expected.all_signed = true;
  ChainVerdict const v = verify_text(example().text(), expected);
  EXPECT_EQ(v.fault, ChainFault::unsigned_tail);
  EXPECT_EQ(v.line, 12u);
  EXPECT_TRUE(verify_text(example().head().text(), expected).holds());
}

TEST(VerifyChain, a_torn_last_line_is_told_and_only_the_last_may_be_torn) {
  std::string const text = example().text();
  ChainVerdict const v = verify_text(text.substr(0, text.size() - 30));
  EXPECT_TRUE(v.holds()) << v.text;
  EXPECT_GT(v.torn_bytes, 30u);
  EXPECT_EQ(v.records, 9u);
  std::string const first = text.substr(0, text.size() - 30);
  TestJournal more;
  std::string const second = example().records(1).lines.back();
  JournalFile const files[] = {{"a", as_bytes(first)}, {"b", as_bytes(second)}};
  ChainExpectations expected;
  expected.keys.push_back(journal_key().public_key());
  EXPECT_EQ(verify_chain(files, expected).fault, ChainFault::malformed);
}

TEST(VerifyChain, files_may_come_in_any_order_and_without_the_oldest) {
  TestJournal journal;
  journal.records(3).head("rotation");
  std::string const first = journal.text();
  std::size_t const count = journal.lines.size();
  journal.start("rotation").records(2).head();
  std::string const second = journal.text().substr(first.size());
  ASSERT_EQ(count, 5u);
  ChainExpectations expected;
  expected.keys.push_back(journal_key().public_key());
  JournalFile const files[] = {{"new", as_bytes(second)}, {"old", as_bytes(first)}};
  ChainVerdict const both = verify_chain(files, expected);
  EXPECT_TRUE(both.holds()) << both.text;
  EXPECT_EQ(both.last_sequence, 9u);
  ChainVerdict const late = verify_chain(std::span(files).first(1), expected);
  EXPECT_TRUE(late.holds()) << late.text;
  EXPECT_EQ(late.first_sequence, 6u);
}

TEST(VerifyChain, nothing_is_no_journal) {
  EXPECT_EQ(verify_text("").fault, ChainFault::empty);
  EXPECT_EQ(verify_text("{\"sequence\":1").fault, ChainFault::empty);
  EXPECT_EQ(verify_chain({}, {}).fault, ChainFault::empty);
  EXPECT_EQ(verify_text("{}\n").fault, ChainFault::malformed);
  std::string const zeros(64, '0');
  EXPECT_EQ(verify_text("{\"sequence\":0,\"previous\":\"" + zeros + "\",\"note\":{}}\n").fault,
            ChainFault::malformed);
  EXPECT_EQ(verify_text("{\"sequence\":1,\"previous\":\"" + zeros + "\"}\n").fault,
            ChainFault::malformed);
  EXPECT_EQ(verify_text(std::string(kAuditLineBytesMax + 1, ' ') + "\n").fault,
            ChainFault::malformed);
}

}  // namespace
}  // namespace shamon
