// Memory and events between real QEMU guests of one machine, asked for with `shamon` and used with
// `shamon-guest` inside the guests:
//
//   green1 ══channel══ green2        red1 (must never have one)
//      └────── [shype1: gate, shamond, swtpm] ──────┘       [authority]
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/process.hpp"
#include "netns/guest_console.hpp"
#include "netns/missing_package.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using Clock = std::chrono::steady_clock;

constexpr char kPolicy[] = R"(coalition test revision 1
type green_t
type red_t
label green { share green_t }
label red { share red_t }
member host when platform in {lab}
member vm green when image in {red}
member vm red when image in {red}
)";

/// The same coalition, but green shares nothing any more, not even with itself.
constexpr char kStricter[] = R"(coalition test revision 2
type red_t
label green { }
label red { share red_t }
member host when platform in {lab}
member vm green when image in {red}
member vm red when image in {red}
)";

std::string lab_text() {
  std::string text =
      std::string("name = \"chan\"\ncoalition = \"test\"\npolicy = \"test.policy\"\n") +
      "images = \"" + SHAMON_BIN_DIR + "/../images\"\n" +
      "heartbeat_ms = 500\nlease_ms = 5000\nchallenge_period_ms = 5000\n"
      "[authority]\naddress = \"10.94.0.1\"\n"
      "[[machine]]\nname = \"shype1\"\naddress = \"10.94.0.11\"\n";
  int last = 10;
  for (auto const& [vm, label] :
       {std::pair{"green1", "green"}, std::pair{"green2", "green"}, std::pair{"red1", "red"}}) {
    text += std::string("[[vm]]\nname = \"") + vm + "\"\nmachine = \"shype1\"\nlabel = \"" + label +
            "\"\nimage = \"red\"\nmemory_mb = 128\naddress = \"10.79.1." + std::to_string(last++) +
            "\"\n";
    if (vm == std::string_view("green2")) text += "nic = \"vhost-user\"\nprocessors = 2\n";
  }
  return text +
         "[[vm]]\nname = \"wide1\"\nmachine = \"shype1\"\nlabel = \"green\"\nimage = \"red\"\n"
         "memory_mb = 128\naddress = \"10.79.1.99\"\nnic = \"vhost-user\"\nqueues = 16\n";
}

class ChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes network namespaces";
    if (!std::filesystem::exists(SHAMON_BIN_DIR "/../images/red.initramfs")) {
      GTEST_SKIP() << "SKIPPED: make the guests' images first: tools/guest-image/build";
    }
    std::string const missing = netns::missing_package({{"qemu-system-x86_64", "qemu-system-x86"},
                                                        {"swtpm", "swtpm"},
                                                        {"swtpm_setup", "swtpm-tools"},
                                                        {"curl", "curl"}});
    if (!missing.empty()) GTEST_SKIP() << "SKIPPED: install Debian package " << missing;
    char folder[] = "/tmp/shamon-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    root_ = folder;
    ::chmod(folder, 0755);
    ASSERT_TRUE(write_file_atomically(root_ + "/test.policy", as_bytes(kPolicy), 0644));
    ASSERT_TRUE(write_file_atomically(root_ + "/lab.toml", as_bytes(lab_text()), 0644));
    up_ = true;
    auto const out = shamon({"lab", "up", root_ + "/lab.toml"}, 180s);
    ASSERT_EQ(out.status, 0) << out.text;
    ASSERT_TRUE(eventually([&] { return running("green1", "green2", "red1"); }, 60s));
    green1_.emplace(console_path("green1"));
    green2_.emplace(console_path("green2"));
    for (auto* guest : {&*green1_, &*green2_}) {
      ASSERT_TRUE(*guest);
      ASSERT_TRUE(guest->run("true", 90).ok());
    }
  }
  void TearDown() override {
    if (root_.empty()) return;
    if (up_) {
      EXPECT_EQ(shamon({"lab", "down"}).status, 0);
    }
    std::filesystem::remove_all(root_);
  }

  ProcessOutput shamon(std::vector<std::string> arguments, Duration limit = 60s) {
    arguments.insert(arguments.begin(), SHAMON_BIN_DIR "/shamon");
    auto out = run_process(arguments, limit, {{"SHAMON_LAB_ROOT", root_ + "/labs"}});
    return out ? *out : ProcessOutput{-1, out.error().describe()};
  }
  json ask(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    auto const out = shamon(arguments);
    return json::parse(out.text, nullptr, false);
  }
  template <class Condition>
  bool eventually(Condition const& condition, Clock::duration limit) {
    auto const end = Clock::now() + limit;
    while (!condition()) {
      if (Clock::now() > end) return false;
      std::this_thread::sleep_for(200ms);
    }
    return true;
  }
  template <class... Names>
  bool running(Names... names) {
    json const list = ask({"vm", "list"});
    if (!list.is_object()) return false;
    auto one = [&](std::string const& name) {
      for (auto const& vm : list["data"]["vms"]) {
        if (vm["vm"] == name) return vm["state"] == "running";
      }
      return false;
    };
    return (one(names) && ...);
  }
  std::string console_path(std::string const& vm) const {
    return root_ + "/labs/chan/shype1/state/vm/" + vm + "/console.sock";
  }
  /// The row of the channel in `vm list --channels`; null if there is none.
  json channel(std::uint64_t number) {
    json const list = ask({"vm", "list", "--channels", "--host", "shype1"});
    for (auto const& row : list["data"]["channels"]) {
      if (row["channel"] == number) return row;
    }
    return {};
  }
  bool becomes(std::uint64_t number, std::string const& state, Clock::duration limit = 30s) {
    return eventually([&] { return channel(number).value("state", "") == state; }, limit);
  }
  std::uint64_t share(std::vector<std::string> more) {
    std::vector<std::string> words{"vm", "share", "green1", "green2", "--host", "shype1"};
    words.insert(words.end(), more.begin(), more.end());
    json const answer = ask(words);
    EXPECT_TRUE(answer.is_object() && answer.contains("data")) << answer.dump();
    return answer.is_object() && answer.contains("data") ? answer["data"]["channel"].get<unsigned>()
                                                         : 0;
  }
  /// True once the guest sees the channel with this said of it.
  bool sees(netns::GuestConsole& guest, std::uint64_t number, std::string const& what) {
    std::string const line = "channel " + std::to_string(number) + ": " + what;
    return eventually(
        [&] {
          return guest.run("shamon-guest channel list").output.find(line) != std::string::npos;
        },
        20s);
  }
  bool has_no_device(netns::GuestConsole& guest) {
    netns::Ran const list = guest.run("shamon-guest channel list");
    return list.status >= 0 && list.output.find("bytes") == std::string::npos;
  }
  /// The laboratory's gate, if the process that has its number really is it; 0 if not. kill(2)
  /// takes -1 for every process there is, so nothing but a checked number may reach it.
  pid_t gate_pid() {
    auto const text = read_text_file(root_ + "/labs/chan/lab.json");
    json const lab = text ? json::parse(*text, nullptr, false) : json();
    if (!lab.is_object()) return 0;
    for (auto const& process : lab["processes"]) {
      if (process["role"] != "shype1/shamon-gate") continue;
      auto const pid = process["pid"].get<pid_t>();
      return is_our_gate(pid) ? pid : 0;
    }
    return 0;
  }
  bool is_our_gate(pid_t pid) const {
    if (pid <= 1) return false;
    std::error_code error;
    auto const program =
        std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", error);
    return !error && program == root_ + "/labs/chan/shype1/bin/shamon-gate";
  }
  /// The words the process was started with.
  static std::vector<std::string> words_of(pid_t pid) {
    auto const text = read_text_file("/proc/" + std::to_string(pid) + "/cmdline");
    std::vector<std::string> words;
    for (std::size_t at = 0; text && at < text->size(); at += words.back().size() + 1) {
      words.emplace_back(text->c_str() + at);
    }
    return words;
  }
  /// Ends the gate as a crash would, and starts the same command anew; ended with the test.
  void restart_gate() {
    pid_t const gate = gate_pid();
    ASSERT_GT(gate, 1) << "the laboratory's gate is not where its state says";
    std::vector<std::string> const words = words_of(gate);
    ASSERT_GT(words.size(), 1u);
    ASSERT_EQ(::kill(gate, SIGKILL), 0);
    std::string command;
    for (auto const& word : words) command += "'" + word + "' ";
    new_gate_ = netns::start(command, "shamon-chan-shype1");
    ASSERT_GT(new_gate_.pid(), 1);
  }

  netns::Process new_gate_;
  std::string root_;
  bool up_ = false;
  std::optional<netns::GuestConsole> green1_, green2_;
};

TEST_F(ChannelTest, GuestsOfOneLabelShareMemoryAndEventsUntilItIsRevoked) {
  std::uint64_t const number = share({"--size", "1M", "--events", "2"});
  ASSERT_NE(number, 0u);
  ASSERT_TRUE(sees(*green1_, number, "1048576 bytes, events"));
  ASSERT_TRUE(sees(*green2_, number, "1048576 bytes, events"));
  std::string const n = " " + std::to_string(number) + " ", tool = "shamon-guest channel ";

  // Both ways, and at the very end of the memory.
  EXPECT_TRUE(green1_->run(tool + "write" + n + "0 from-the-owner").ok());
  EXPECT_THAT(green2_->run(tool + "read" + n + "0 14").output, HasSubstr("from-the-owner"));
  EXPECT_TRUE(green2_->run(tool + "write" + n + "1048567 from-user").ok());
  EXPECT_THAT(green1_->run(tool + "read" + n + "1048567 9").output, HasSubstr("from-user"));
  EXPECT_EQ(green1_->run(tool + "write" + n + "1048568 too-long-x").status, 1);

  // A ring is heard once, and by the other side only.
  EXPECT_EQ(green2_->run(tool + "wait" + n + "1").status, 12);
  EXPECT_TRUE(green1_->run(tool + "ring" + n + "1").ok());
  EXPECT_THAT(green2_->run(tool + "wait" + n + "10").output, HasSubstr("event 1"));
  EXPECT_EQ(green2_->run(tool + "wait" + n + "1").status, 12);
  EXPECT_EQ(green1_->run(tool + "wait" + n + "1").status, 12);
  EXPECT_TRUE(green2_->run(tool + "ring" + n + "0").ok());
  EXPECT_THAT(green1_->run(tool + "wait" + n + "10").output, HasSubstr("event 0"));
  EXPECT_TRUE(green1_->run(tool + "ring" + n + "2").ok());
  EXPECT_EQ(green2_->run(tool + "wait" + n + "1").status, 12) << "no such event";
  EXPECT_TRUE(eventually(
      [&] {
        json const row = channel(number);
        return row["rings_of_owner"] == 1 && row["rings_of_user"] == 1;
      },
      5s))
      << channel(number).dump();

  // Again and again: what is shared next is new, with nothing of the old content.
  std::uint64_t last = number;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(shamon({"vm", "unshare", std::to_string(last), "--host", "shype1"}).status, 0);
    EXPECT_TRUE(becomes(last, "closed")) << channel(last).dump();
    EXPECT_TRUE(has_no_device(*green1_));
    EXPECT_TRUE(has_no_device(*green2_));
    EXPECT_NE(shamon({"vm", "unshare", std::to_string(last), "--host", "shype1"}).status, 0);
    last = share({"--size", "1M"});
    ASSERT_TRUE(sees(*green2_, last, "1048576 bytes, events"));
    std::string const next = " " + std::to_string(last) + " ";
    EXPECT_THAT(
        "\n" +
            green2_->run(tool + "read" + next + "0 1048576 >/tmp/c && tr -d '\\0' </tmp/c | wc -c")
                .output,
        HasSubstr("\n0\n"));
    EXPECT_TRUE(green1_->run(tool + "write" + next + "0 secret").ok());
    EXPECT_TRUE(green1_->run(tool + "ring" + next + "0").ok());
    EXPECT_THAT(green2_->run(tool + "wait" + next + "10").output, HasSubstr("event 0"));
  }
}

TEST_F(ChannelTest, AReadOnlyUserSeesButCannotChange) {
  std::uint64_t const number = share({"--size", "16M", "--read-only"});
  ASSERT_NE(number, 0u);
  ASSERT_TRUE(sees(*green1_, number, "16777216 bytes, events"));
  ASSERT_TRUE(sees(*green2_, number, "16777216 bytes, events"));
  std::string const n = " " + std::to_string(number) + " ", tool = "shamon-guest channel ";
  EXPECT_TRUE(green1_->run(tool + "write" + n + "4 original").ok());
  EXPECT_THAT(green2_->run(tool + "read" + n + "4 8").output, HasSubstr("original"));

  // The guest is free to write; its hypervisor has no way to do it.
  EXPECT_TRUE(green2_->run(tool + "write" + n + "4 forged!!").ok());
  EXPECT_THAT(green1_->run(tool + "read" + n + "4 8").output, HasSubstr("original"));
  EXPECT_THAT(green2_->run(tool + "read" + n + "4 8").output, HasSubstr("original"));
  EXPECT_TRUE(green2_->run(tool + "ring" + n + "0").ok());
  EXPECT_THAT(green1_->run(tool + "wait" + n + "10").output, HasSubstr("event 0"));
  EXPECT_TRUE(channel(number)["read_only"].get<bool>());

  // The end of one VM is the channel's end for the other.
  ASSERT_EQ(shamon({"vm", "stop", "green1", "--host", "shype1"}).status, 0);
  EXPECT_TRUE(becomes(number, "closed")) << channel(number).dump();
  EXPECT_TRUE(has_no_device(*green2_));
}

TEST_F(ChannelTest, AGateThatStartsAnewGetsItsChannelsAgainWithoutTheirContent) {
  std::uint64_t const number = share({"--size", "64K"});
  ASSERT_TRUE(sees(*green1_, number, "65536 bytes, events"));
  std::string const n = " " + std::to_string(number) + " ", tool = "shamon-guest channel ";
  EXPECT_TRUE(green1_->run(tool + "write" + n + "0 old").ok());
  ASSERT_NO_FATAL_FAILURE(restart_gate());
  EXPECT_TRUE(eventually(
      [&] {
        netns::Ran const read =
            green2_->run(tool + "read" + n + "0 3 >/tmp/c && tr -d '\\0' </tmp/c | wc -c");
        return ("\n" + read.output).find("\n0\n") != std::string::npos;
      },
      30s));
  EXPECT_TRUE(becomes(number, "open")) << channel(number).dump();
  EXPECT_TRUE(green1_->run(tool + "ring" + n + "0").ok());
  EXPECT_THAT(green2_->run(tool + "wait" + n + "10").output, HasSubstr("event 0"));
}

TEST_F(ChannelTest, ACardHasAsManyQueuesAsTheGateHasWorkersAndTheVmProcessors) {
  long const workers = ::sysconf(_SC_NPROCESSORS_ONLN);
  auto const queues = [](netns::GuestConsole& guest) {
    return guest.run("ls -d /sys/class/net/eth0/queues/rx-* | wc -l").output;
  };
  EXPECT_THAT("\n" + queues(*green2_), HasSubstr(workers > 1 ? "\n2\n" : "\n1\n"));
  EXPECT_THAT("\n" + queues(*green1_), HasSubstr("\n1\n"));
  EXPECT_TRUE(green2_->run("ping -c 1 -W 5 10.79.1.10").ok());
  if (workers >= 16) return;
  json const list = ask({"status", "--host", "shype1"});
  auto const& vms = list["data"]["vms"];
  auto const wide =
      std::find_if(vms.begin(), vms.end(), [](json const& vm) { return vm["vm"] == "wide1"; });
  ASSERT_NE(wide, vms.end()) << list;
  EXPECT_EQ((*wide)["state"], "failed") << "more queues than the gate has workers";
}

TEST_F(ChannelTest, OtherLabelsAreRefusedWithTheReasonInAuditAndExplanation) {
  auto const refused =
      shamon({"vm", "share", "green1", "red1", "--host", "shype1", "--size", "64K"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.text, HasSubstr("memory_share green -> red"));
  EXPECT_THAT(refused.text, HasSubstr("test.policy"));
  json const audit = ask({"audit", "tail", "--denied", "--host", "shype1"});
  bool told = false;
  for (auto const& record : audit["data"]["records"]) {
    told = told || (record["hook"] == "memory_share" && record["subject"] == "green1" &&
                    record["object"] == "red1" && record["object_label"] == "red");
  }
  EXPECT_TRUE(told) << audit.dump(1);
  EXPECT_EQ(shamon({"explain", "share", "green1", "red1", "--host", "shype1"}).status, 12);
  EXPECT_EQ(shamon({"explain", "share", "green1", "green2", "--host", "shype1"}).status, 0);
  EXPECT_TRUE(has_no_device(*green1_));
  for (char const* size : {"5000", "128M", "1X"}) {
    EXPECT_NE(
        shamon({"vm", "share", "green1", "green2", "--host", "shype1", "--size", size}).status, 0)
        << size;
  }

  // A new policy takes away what it no longer allows.
  std::uint64_t const number = share({"--size", "64K"});
  ASSERT_TRUE(sees(*green1_, number, "65536 bytes"));
  json const next = {{"name", "test.policy"}, {"text", kStricter}, {"revision", 2}};
  ASSERT_TRUE(write_file_atomically(root_ + "/next.json", as_bytes(next.dump()), 0644));
  auto const put = run_process({"curl", "-sS", "-f", "-X", "PUT", "--unix-socket",
                                root_ + "/labs/chan/authority/run/authority.sock", "--data-binary",
                                "@" + root_ + "/next.json", "http://localhost/v1/policy"});
  ASSERT_TRUE(put && put->status == 0) << (put ? put->text : put.error().describe());
  EXPECT_TRUE(becomes(number, "closed")) << channel(number).dump();
  EXPECT_TRUE(has_no_device(*green1_));
  EXPECT_TRUE(has_no_device(*green2_));
}

}  // namespace
}  // namespace shamon
