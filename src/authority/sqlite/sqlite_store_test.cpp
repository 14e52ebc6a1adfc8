#include "authority/sqlite/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authority/test_machine.hpp"
#include "base/file.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {
namespace {

StatusChange change(std::uint64_t revision) {
  StatusChange out;
  out.revision = Revision(revision);
  out.kind = ChangeKind::policy_changed;
  out.policy_text = std::string(3000, 'x');
  return out;
}

HostRecord host(std::string name, std::string fingerprint) {
  HostRecord out;
  out.host = HostName(std::move(name));
  out.ek_fingerprint = std::move(fingerprint);
  out.set_state(HostState::active);
  return out;
}

TEST(SqliteStore, what_was_appended_is_there_after_reopening) {
  TemporaryFolder folder;
  std::string const path = folder.path() + "/s";
  {
    auto store = open_sqlite_store(path);
    ASSERT_TRUE(store) << store.error().describe();
    EXPECT_EQ((*store)->snapshot()->revision, Revision{});
    VmEntry vm;
    vm.vm = VmName("v");
    StoreBatch batch{{change(1), change(2)},
                     {host("a", "ek-a")},
                     {vm},
                     std::vector<ReferenceValueMessage>{{"gate", "sha256:00", true, "s"}},
                     PolicyMessage{"p", "text", Revision(4)}};
    ASSERT_TRUE((*store)->append(batch));
    StoreBatch update;
    update.hosts = {host("a", "ek-a")};
    update.hosts[0].reason = "later";
    update.reference_values.emplace();
    ASSERT_TRUE((*store)->append(update));
  }
  auto store = open_sqlite_store(path);
  ASSERT_TRUE(store);
  auto const snapshot = (*store)->snapshot();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->revision, Revision(2));
  ASSERT_EQ(snapshot->hosts.size(), 1u);
  EXPECT_EQ(snapshot->hosts[0].reason, "later");
  EXPECT_EQ(snapshot->hosts[0].host_state(), HostState::active);
  EXPECT_EQ(snapshot->vms.size(), 1u);
  EXPECT_TRUE(snapshot->reference_values.empty());
  EXPECT_EQ(snapshot->policy.revision, Revision(4));
  EXPECT_EQ((*store)->changes_after(Revision(0), 10)->size(), 2u);
  EXPECT_EQ((*store)->changes_after(Revision(0), 1)->size(), 1u);
  EXPECT_EQ((*store)->changes_after(Revision(1), 10)->at(0).revision, Revision(2));
  EXPECT_TRUE((*store)->changes_after(Revision(2), 10)->empty());
}

TEST(SqliteStore, refuses_gaps_and_repetitions_and_then_changes_nothing) {
  TemporaryFolder folder;
  auto store = open_sqlite_store(folder.path() + "/s");
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->append({{change(1)}, {}, {}, {}, {}}));
  for (std::uint64_t const revision : {0u, 1u, 3u}) {
    StoreBatch batch;
    batch.hosts = {host("a", "ek")};
    batch.changes = {change(revision)};
    EXPECT_EQ((*store)->append(batch).error().code, Errc::conflict) << revision;
  }
  EXPECT_TRUE((*store)->snapshot()->hosts.empty());
  EXPECT_EQ((*store)->snapshot()->revision, Revision(1));
}

TEST(SqliteStore, one_ek_never_stands_under_two_names) {
  TemporaryFolder folder;
  auto store = open_sqlite_store(folder.path() + "/s");
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->append({{}, {host("a", "ek")}, {}, {}, {}}));
  EXPECT_EQ((*store)->append({{}, {host("b", "ek")}, {}, {}, {}}).error().code, Errc::conflict);
  EXPECT_EQ((*store)->snapshot()->hosts.size(), 1u);
}

TEST(SqliteStore, a_file_that_is_no_store_is_refused) {
  TemporaryFolder folder;
  std::string const path = folder.path() + "/s";
  ASSERT_TRUE(write_file_atomically(path, as_bytes(std::string(5000, 'n')), 0600));
  EXPECT_FALSE(open_sqlite_store(path));
  EXPECT_FALSE(open_sqlite_store(folder.path() + "/absent/s"));
}

/// Appends until it is killed; writes the number of each revision that was acknowledged.
[[noreturn]] void append_for_ever(std::string const& path, int out) {
  auto store = open_sqlite_store(path);
  if (!store) ::_exit(1);
  auto const snapshot = (*store)->snapshot();
  if (!snapshot) ::_exit(2);
  std::uint64_t revision = snapshot->revision.value();
  for (;;) {
    StoreBatch batch;
    batch.changes = {change(revision + 1), change(revision + 2)};
    batch.hosts = {host("h", "ek")};
    batch.hosts[0].reason = std::to_string(revision + 2);
    if (!(*store)->append(batch)) ::_exit(3);
    revision += 2;
    if (::write(out, &revision, sizeof revision) != sizeof revision) ::_exit(4);
  }
}

TEST(SqliteStore, every_acknowledged_revision_survives_kill_at_any_moment) {
  TemporaryFolder folder;
  std::string const path = folder.path() + "/s";
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t const child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      append_for_ever(path, ends[1]);
    }
    ::close(ends[1]);
    std::uint64_t revision = 0;
    int seen = 0;
    while (::read(ends[0], &revision, sizeof revision) == sizeof revision) {
      acknowledged = revision;
      if (++seen == 5 + 3 * round) {
        // Not at an acknowledgement, but somewhere in the next append.
        ::usleep(static_cast<useconds_t>(137 * round));
        ::kill(child, SIGKILL);
      }
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

    auto store = open_sqlite_store(path);
    ASSERT_TRUE(store) << store.error().describe();
    auto const snapshot = (*store)->snapshot();
    ASSERT_TRUE(snapshot);
    EXPECT_GE(snapshot->revision, Revision(acknowledged));
    // All of a batch or nothing of it.
    EXPECT_EQ(snapshot->hosts.at(0).reason, std::to_string(snapshot->revision.value()));
    auto const changes = (*store)->changes_after(Revision{}, 1'000'000);
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->size(), snapshot->revision.value());
    for (std::size_t i = 0; i < changes->size(); ++i) {
      ASSERT_EQ((*changes)[i].revision, Revision(i + 1));
    }
  }
}

}  // namespace
}  // namespace shamon
