#include "host/audit_log.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/verify_chain.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/folder_fixture.hpp"

namespace shamon {
namespace {

constexpr WallTime kNow{1'795'309'205'042};
constexpr Instant kStart{1'000'000'000};

AuditRow a_row(std::string subject, std::size_t text_bytes = 40) {
  AuditRow row;
  row.time = kNow;
  row.hook = "flow_out";
  row.verdict = "denied";
  row.subject = std::move(subject);
  row.text = std::string(text_bytes, 'x');
  return row;
}

class AuditLogTest : public FolderTest {
 protected:
  AuditLog open(AuditFileLimits limits = {}) {
    auto log = AuditLog::open(folder_, HostName("shype1"), kNow, limits);
    EXPECT_TRUE(log) << log.error().describe();
    return std::move(*log);
  }
  std::string text(std::string const& name = kAuditFileName) const {
    return *read_text_file(path(name), 64u << 20);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (auto const& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".jsonl") out.push_back(entry.path().filename());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  ChainVerdict verify(bool with_head = true) const {
    std::vector<std::string> contents;
    std::vector<JournalFile> given;
    for (auto const& name : files()) contents.push_back(text(name));
    for (std::size_t i = 0; i < contents.size(); ++i) {
      given.push_back({files()[i], as_bytes(contents[i])});
    }
    ChainExpectations expected;
    expected.keys.push_back(*PublicKey::from_pem(text(kAuditPublicName)));
    if (with_head && std::filesystem::exists(path(kAuditHeadName))) {
      std::string const head = text(kAuditHeadName);
      expected.known = head.substr(0, head.find('\n'));
    }
    return verify_chain(given, expected);
  }
};

TEST_F(AuditLogTest, a_first_start_makes_a_key_and_what_is_written_verifies) {
  {
    AuditLog log = open();
    for (std::uint64_t i = 2; i < 12; ++i) EXPECT_EQ(*log.append(a_row("vm-a")), i);
    ASSERT_TRUE(log.close(kNow));
  }
  ChainVerdict const v = verify();
  EXPECT_TRUE(v.holds()) << v.text;
  EXPECT_EQ(v.records, 10u);
  EXPECT_TRUE(v.ended_cleanly);
  EXPECT_EQ(v.unsigned_lines, 0u);
  struct stat info {};
  ASSERT_EQ(::stat(path(kAuditKeyName).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditLogTest, a_restart_goes_on_with_the_chain_and_knows_the_earlier_rows) {
  for (int run = 0; run < 3; ++run) {
    AuditLog log = open();
    EXPECT_EQ(log.take_earlier().size(), static_cast<std::size_t>(run));
    EXPECT_TRUE(log.append(a_row("vm-" + std::to_string(run))));
    ASSERT_TRUE(log.close(kNow));
  }
  ChainVerdict const v = verify();
  EXPECT_TRUE(v.holds()) << v.text;
  EXPECT_EQ(v.records, 3u);
  EXPECT_EQ(v.restarts, 2u);
  EXPECT_EQ(v.heads, 3u);
}

TEST_F(AuditLogTest, a_second_writer_is_refused) {
  AuditLog const log = open();
  auto const second = AuditLog::open(folder_, HostName("shype1"), kNow);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
}

TEST_F(AuditLogTest, heads_are_signed_when_they_are_due_and_only_then) {
  AuditLog log = open();
  ASSERT_TRUE(log.append(a_row("vm-a")));
  ASSERT_TRUE(log.tick(kStart, kNow));
  ASSERT_TRUE(log.tick(kStart + kAuditHeadPeriod - Duration(1), kNow));
  EXPECT_TRUE(log.last_head().empty());
  ASSERT_TRUE(log.tick(kStart + kAuditHeadPeriod, kNow));
  std::string const first = log.last_head();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(text(kAuditHeadName), first + "\n");
  ASSERT_TRUE(log.tick(kStart + 10 * kAuditHeadPeriod, kNow));
  EXPECT_EQ(log.last_head(), first) << "nothing new to sign";
  for (std::uint64_t i = 0; i < kAuditHeadRecords; ++i) ASSERT_TRUE(log.append(a_row("vm-a")));
  ASSERT_TRUE(log.tick(kStart + 11 * kAuditHeadPeriod, kNow));
  EXPECT_NE(log.last_head(), first) << "so many records do not wait for the period";
  EXPECT_TRUE(verify().holds());
}

TEST_F(AuditLogTest, the_chain_runs_through_full_files_and_the_oldest_go) {
  AuditFileLimits const limits{4096, 3};
  {
    AuditLog log = open(limits);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append(a_row("vm-a", 1000)));
    ASSERT_TRUE(log.close(kNow));
  }
  EXPECT_EQ(files().size(), 4u);
  EXPECT_EQ(files().back(), kAuditFileName);
  for (auto const& name : files()) EXPECT_LT(text(name).size(), 4096u + 1024) << name;
  ChainVerdict const v = verify();
  EXPECT_TRUE(v.holds()) << v.file << ":" << v.line << " " << v.text;
  EXPECT_GT(v.first_sequence, 1u);
  EXPECT_GT(v.notes, 0u) << "the journal says which files it removed";
  // And after a restart, in the middle of it.
  AuditLog log = open(limits);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(log.append(a_row("vm-a", 1000)));
  EXPECT_TRUE(verify().holds());
  // A file from the middle that is gone is missed.
  std::filesystem::remove(path(files()[1]));
  EXPECT_EQ(verify().fault, ChainFault::removed);
}

TEST_F(AuditLogTest, a_start_between_two_files_goes_on_with_the_full_one) {
  {
    AuditLog log = open();
    ASSERT_TRUE(log.append(a_row("vm-a")));
    ASSERT_TRUE(log.close(kNow));
  }
  std::filesystem::rename(path(kAuditFileName), path("audit.000000000001.jsonl"));
  {
    AuditLog log = open();
    ASSERT_TRUE(log.append(a_row("vm-b")));
  }
  ChainVerdict const v = verify();
  EXPECT_TRUE(v.holds()) << v.text;
  EXPECT_EQ(v.records, 2u);
}

TEST_F(AuditLogTest, a_torn_line_is_cut_off_kept_in_a_note_and_loses_no_record) {
  {
    AuditLog log = open();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(log.append(a_row("vm-a")));
  }
  for (std::string const torn : {"{\"sequence\":5,\"prev", "x", "{"}) {
    ASSERT_TRUE(append_to_file(path(kAuditFileName), as_bytes(torn)));
    ChainVerdict const before = verify();
    EXPECT_TRUE(before.holds()) << before.text;
    EXPECT_EQ(before.torn_bytes, torn.size());
    EXPECT_EQ(before.records, 3u);
    AuditLog const log = open();
    ChainVerdict const after = verify();
    EXPECT_TRUE(after.holds()) << after.text;
    EXPECT_EQ(after.torn_bytes, 0u);
    EXPECT_EQ(after.records, 3u);
    EXPECT_NE(text().find("\"kind\":\"torn\""), std::string::npos);
    EXPECT_NE(text().find(to_base64(as_bytes(torn))), std::string::npos);
  }
  EXPECT_EQ(verify().notes, 3u);
}

TEST_F(AuditLogTest, a_writer_that_is_killed_loses_no_acknowledged_record) {
  // The child tells each number only after append returned it.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  pid_t const child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(ends[0]);
    auto log = AuditLog::open(folder_, HostName("shype1"), kNow);
    for (std::uint64_t i = 0; log; ++i) {
      auto const number = log->append(a_row("vm-a", 200 + i % 5000));
      if (!number || ::write(ends[1], &*number, sizeof *number) != sizeof *number) break;
      if (i % 50 == 0 && !log->tick(Instant{static_cast<std::int64_t>(i) << 32}, kNow)) break;
    }
    ::_exit(1);
  }
  ::close(ends[1]);
  std::uint64_t last = 0;
  std::uint64_t number = 0;
  while (last < 400 && ::read(ends[0], &number, sizeof number) == sizeof number) last = number;
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  while (::read(ends[0], &number, sizeof number) == sizeof number) last = number;
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ::close(ends[0]);
  AuditLog log = open();
  ASSERT_TRUE(log.close(kNow));
  ChainVerdict const v = verify();
  EXPECT_TRUE(v.holds()) << v.file << ":" << v.line << " " << v.text;
  EXPECT_GE(v.last_sequence, last);
  EXPECT_NE(text().find("\"sequence\":" + std::to_string(last) + ","), std::string::npos);
}

TEST_F(AuditLogTest, a_file_that_cannot_be_gone_on_with_is_set_aside_and_said_so) {
  write(kAuditFileName, "what an older program wrote\nand more\n");
  AuditLog log = open();
  ASSERT_TRUE(log.append(a_row("vm-a")));
  EXPECT_NE(text().find("could not be gone on with"), std::string::npos);
  EXPECT_TRUE(verify().holds());
  EXPECT_TRUE(std::filesystem::exists(
      path(std::string(kAuditFileName) + ".unreadable-" + std::to_string(kNow.unix_ms))));
}

TEST_F(AuditLogTest, tampering_with_real_files_is_found) {
  {
    AuditLog log = open();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(log.append(a_row("vm-" + std::to_string(i))));
    ASSERT_TRUE(log.close(kNow));
  }
  std::string const whole = text();
  std::string altered = whole;
  altered.replace(altered.find("vm-2"), 4, "vm-9");
  write(kAuditFileName, altered);
  EXPECT_EQ(verify().fault, ChainFault::altered);
  EXPECT_EQ(verify().line, 4u);
  // Cut off before the last head: the head that stands beside the file knows better.
  write(kAuditFileName, whole.substr(0, whole.rfind("{\"sequence\"")));
  EXPECT_EQ(verify().fault, ChainFault::truncated);
  EXPECT_TRUE(verify(false).holds()) << "without it, nobody could tell";
  write(kAuditFileName, whole);
  EXPECT_TRUE(verify().holds());
}

}  // namespace
}  // namespace shamon
