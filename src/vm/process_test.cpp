#include "vm/process.hpp"

#include <csignal>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/folder_fixture.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class ProcessTest : public FolderTest {
 protected:
  std::string log() const { return folder_ + "/log"; }
  Result<ChildProcess> shell(std::string const& script, std::vector<int> inherited = {}) {
    return starter_.start({{"sh", "-c", script}, std::move(inherited), log()});
  }

  ProcessStarter starter_;
};

TEST_F(ProcessTest, ReportsHowAProcessEnded) {
  struct Case {
    char const* script;
    int status;
  };
  for (auto const& test : {Case{"exit 0", 0}, Case{"exit 7", 7}, Case{"kill -TERM $$", 128 + 15}}) {
    auto process = shell(test.script);
    ASSERT_TRUE(process) << process.error().describe();
    auto const status = process->wait(10s);
    ASSERT_TRUE(status) << test.script;
    EXPECT_EQ(*status, test.status) << test.script;
    EXPECT_TRUE(process->has_ended());
    EXPECT_FALSE(process->wait(0ms)) << "reaped only once";
  }
}

TEST_F(ProcessTest, AProgramThatIsNotThereIsAnError) {
  auto const process = starter_.start({{"shamon-no-such-program"}, {}, log()});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, Errc::system);
  EXPECT_THAT(process.error().message, HasSubstr("shamon-no-such-program"));
  auto const no_log = starter_.start({{"true"}, {}, folder_ + "/missing/log"});
  EXPECT_FALSE(no_log);
}

TEST_F(ProcessTest, InheritsOnlyWhatItWasGiven) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // deliberately without close-on-exec
  UniqueFd const read_end(ends[0]);
  UniqueFd const write_end(ends[1]);
  auto process =
      shell("ls /proc/self/fd | tr '\\n' ' '; echo x >&" + std::to_string(ends[1]), {ends[1]});
  ASSERT_TRUE(process);
  ASSERT_EQ(process->wait(10s).value_or(-1), 0) << log_tail(log());
  char letter = 0;
  EXPECT_EQ(::read(ends[0], &letter, 1), 1);
  EXPECT_EQ(letter, 'x');
  // 3 is ls's own descriptor of the folder; the pipe's read end must not be there.
  auto const listed = " " + log_tail(log()) + " ";
  EXPECT_THAT(listed, HasSubstr(" " + std::to_string(ends[1]) + " "));
  if (ends[0] != 3) {
    EXPECT_THAT(listed, ::testing::Not(HasSubstr(" " + std::to_string(ends[0]) + " ")));
  }
}

TEST_F(ProcessTest, LivesOnWhenTheThreadThatAskedForItEnds) {
  std::optional<ChildProcess> process;
  std::thread([&] {
    if (auto started = shell("exec sleep 1000")) process = *std::move(started);
  }).join();
  ASSERT_TRUE(process);
  EXPECT_FALSE(process->wait(200ms)) << "the kernel killed it with the thread";
  process->kill();
  EXPECT_TRUE(process->has_ended());
}

TEST_F(ProcessTest, DiesWithItsParentHoweverThatDies) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  pid_t const parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    ProcessStarter starter;
    auto process = starter.start({{"sleep", "1000"}, {}, folder_ + "/log"});
    pid_t const pid = process ? process->pid() : -1;
    [[maybe_unused]] auto const written = ::write(ends[1], &pid, sizeof pid);
    ::pause();
    ::_exit(1);
  }
  pid_t grandchild = -1;
  ASSERT_EQ(::read(ends[0], &grandchild, sizeof grandchild), ssize_t{sizeof grandchild});
  ASSERT_GT(grandchild, 0);
  UniqueFd const watched(static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0)));
  ASSERT_TRUE(watched);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  pollfd entry{watched.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 5000), 1) << "process outlived its parent";
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ProcessTest, AnUnusedStarterEnds) {
  ProcessStarter const unused;
}

}  // namespace
}  // namespace shamon
