#include "base/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace shamon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RunProcess, ReturnsStatusAndOutput) {
  auto out = run_process({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->status, 3);
  EXPECT_EQ(out->text, "out\nerr\n");
  EXPECT_NE(run_checked({"sh", "-c", "exit 3"}).error().message.find("ended with 3"),
            std::string::npos);
}

TEST(RunProcess, NamesAProgramThatIsNotThere) {
  auto out = run_process({"no-such-program-here"});
  ASSERT_FALSE(out.has_value());
  EXPECT_NE(out.error().message.find("no-such-program-here"), std::string::npos);
}

TEST(RunProcess, KillsWhatTakesTooLong) {
  EXPECT_EQ(run_process({"sleep", "30"}, milliseconds(50)).error().code, Errc::timeout);
}

TEST(Process, EndsOnDropWhenAsked) {
  pid_t pid = -1;
  {
    auto child = Process::spawn({.arguments = {"sleep", "30"}});
    ASSERT_TRUE(child.has_value());
    child->kill_on_drop(true);
    pid = child->pid();
    EXPECT_TRUE(child->running());
    EXPECT_TRUE(process_start_ticks(pid).has_value());
  }
  EXPECT_FALSE(process_start_ticks(pid).has_value());
}

TEST(Process, ReportsTheSignalAsAShellDoes) {
  auto child = Process::spawn({.arguments = {"sleep", "30"}});
  ASSERT_TRUE(child->signal(SIGKILL).has_value());
  EXPECT_EQ(child->wait(seconds(5)), 128 + SIGKILL);
}

TEST(Process, PassesDescriptorsByNameAndNoOthers) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  ProcessSpec spec{
      // `ls` in the shell's place: what a shell opens for a pipe or a redirection is not counted.
      .arguments = {"sh", "-c", "echo $LISTEN_FDNAMES >&3; exec ls /proc/self/fd >&3"},
      .descriptors = {{"tap", writer.get()}}};
  auto child = Process::spawn(spec);
  ASSERT_EQ(child->wait(seconds(5)), 0);
  writer.reset();
  char text[64] = {};
  std::string all;
  for (ssize_t n; (n = ::read(reader.get(), text, sizeof text)) > 0;)
    all.append(text, static_cast<std::size_t>(n));
  EXPECT_EQ(all, "tap\n0\n1\n2\n3\n4\n");  // the one passed is 3; 4 is the folder being listed
}

}  // namespace
}  // namespace shamon
