// A whole coalition with real processes, TPMs and tunnels:
//
//   green-a ──tap── [shype1: gate, shamond, swtpm] ══ESP══ [shype2: gate, shamond, swtpm] ──tap──
//   green-b red-a   ──tap──┘                   └──TLS── [authority] ──TLS──┘ └──tap── red-b
//
// The VMs are domains (namespaces), so it is up in seconds; the demonstration, which has QEMU
// guests, is the last test.
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "base/process.hpp"
#include "base/socket_address.hpp"
#include "netns/missing_package.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string const kShamon = SHAMON_BIN_DIR "/shamon";

constexpr char kPolicy[] = R"(coalition test revision 1
type green_t
type red_t
label green { share green_t }
label red { share red_t }
allow green <-> green
member host when platform in {lab} and attested within 60s
member vm green when image in {domain}
member vm red when image in {domain}
)";

constexpr char kLab[] = R"(name = "kill"
coalition = "test"
policy = "test.policy"
heartbeat_ms = 300
lease_ms = 1500
challenge_period_ms = 1000
[authority]
address = "10.91.0.1"
[[machine]]
name = "shype1"
address = "10.91.0.11"
[[machine]]
name = "shype2"
address = "10.91.0.12"
[[vm]]
name = "green-a"
machine = "shype1"
label = "green"
kind = "domain"
address = "10.78.1.10"
[[vm]]
name = "red-a"
machine = "shype1"
label = "red"
kind = "domain"
address = "10.78.1.20"
[[vm]]
name = "green-b"
machine = "shype2"
label = "green"
kind = "domain"
address = "10.78.2.10"
[[vm]]
name = "red-b"
machine = "shype2"
label = "red"
kind = "domain"
address = "10.78.2.20"
)";

class CoalitionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes network namespaces";
    std::string const missing = netns::missing_package({{"swtpm_setup", "swtpm-tools"},
                                                        {"swtpm", "swtpm"},
                                                        {"ping", "iputils-ping"},
                                                        {"busybox", "busybox-static"}});
    if (!missing.empty()) GTEST_SKIP() << "SKIPPED: install Debian package " << missing;
    char folder[] = "/tmp/shamon-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    root_ = folder;
    ::chmod(folder, 0755);
    ASSERT_TRUE(write_file_atomically(root_ + "/test.policy", as_bytes(kPolicy), 0644).has_value());
    ASSERT_TRUE(write_file_atomically(root_ + "/lab.toml", as_bytes(kLab), 0644).has_value());
  }

  void TearDown() override {
    if (root_.empty()) return;
    if (up_) {
      EXPECT_EQ(shamon({"lab", "down"}).status, 0);
    }
    auto const spaces = run_process({"ip", "netns", "list"});
    EXPECT_EQ(spaces->text.find("shamon-kill-"), std::string::npos) << spaces->text;
    std::filesystem::remove_all(root_);
  }

  ProcessOutput shamon(std::vector<std::string> arguments, Duration limit = 120s) {
    arguments.insert(arguments.begin(), kShamon);
    auto out = run_process(arguments, limit, {{"SHAMON_LAB_ROOT", root_ + "/labs"}});
    return out ? *out : ProcessOutput{-1, out.error().describe()};
  }

  void bring_up() {
    auto const out = shamon({"lab", "up", root_ + "/lab.toml"});
    up_ = true;
    ASSERT_EQ(out.status, 0) << out.text;
  }

  /// One ping from a domain; true if it is answered.
  bool ping(std::string const& from, std::string const& to) {
    auto const out = run_process(
        {"ip", "netns", "exec", "shamon-kill-" + from, "ping", "-c", "1", "-W", "1", to});
    return out && out->status == 0;
  }
  bool becomes(bool wanted, std::string const& from, std::string const& to, Duration limit) {
    auto const end = std::chrono::steady_clock::now() + limit;
    while (ping(from, to) != wanted) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(100ms);
    }
    return true;
  }

  /// What a command in a domain says; a refusal too.
  std::string in(std::string const& vm, std::vector<std::string> command) {
    command.insert(command.begin(), {"ip", "netns", "exec", "shamon-kill-" + vm});
    auto const out = run_process(command, 20s);
    return out ? out->text : out.error().describe();
  }
  std::string look_up(std::string const& vm, std::string const& name) {
    return in(vm, {"busybox", "nslookup", name + ".vm.test.internal", "169.254.53.1"});
  }

  /// A daemon's pid, as the laboratory wrote it down; 0 and a failure if it has none.
  pid_t pid_of(std::string const& role) {
    auto const text = read_text_file(root_ + "/labs/kill/lab.json");
    json const state = json::parse(text.value_or("{}"));
    for (auto const& process : state["processes"]) {
      if (process["role"] == role) return process["pid"].get<int>();
    }
    ADD_FAILURE() << role << " is not in lab.json";
    return 0;
  }
  void kill_daemon(std::string const& role) {
    pid_t const pid = pid_of(role);
    ASSERT_GT(pid, 0);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
  }

  /// Kills a machine's host monitor and starts it again with the TAPs it had, as a service manager
  /// does that kept their descriptors.
  void restart_monitor(std::string const& machine, Process& next) {
    pid_t const pid = pid_of(machine + "/shamond");
    ASSERT_GT(pid, 0);
    std::string const proc = "/proc/" + std::to_string(pid);
    UniqueFd const pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ASSERT_TRUE(pidfd);
    struct stat owner {};
    ASSERT_EQ(::stat(proc.c_str(), &owner), 0);
    ProcessSpec spec{.arguments = split_at_zeros(proc + "/cmdline"),
                     .output_path = root_ + "/labs/kill/shamond-again.log",
                     .network_namespace = "shamon-kill-" + machine,
                     .uid = owner.st_uid};
    std::vector<UniqueFd> taps;
    for (std::string const& variable : split_at_zeros(proc + "/environ")) {
      if (!variable.starts_with("LISTEN_FDNAMES=")) continue;
      std::istringstream names(variable.substr(variable.find('=') + 1));
      for (std::string name; std::getline(names, name, ':');) {
        int const number = 3 + static_cast<int>(taps.size());
        taps.emplace_back(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
        ASSERT_TRUE(taps.back()) << name;
        spec.descriptors.emplace_back(name, taps.back().get());
      }
    }
    ASSERT_FALSE(taps.empty());
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    pollfd ended{pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 5000), 1);
    auto started = Process::spawn(spec);
    ASSERT_TRUE(started.has_value());
    next = std::move(*started);
    next.kill_on_drop(true);
  }
  static std::vector<std::string> split_at_zeros(std::string const& path) {
    std::istringstream text(read_text_file(path).value_or(""));
    std::vector<std::string> out;
    for (std::string part; std::getline(text, part, '\0');) out.push_back(part);
    return out;
  }

  /// The open associations of a machine: number and peer.
  std::map<std::uint64_t, std::string> associations(std::string const& machine) {
    std::map<std::uint64_t, std::string> open;
    json const status = ask({"status", "--host", machine});
    for (auto const& row : status["data"]["associations"]) {
      if (row["state"] == "open") open[row["association"]] = row["peer"];
    }
    return open;
  }

  /// As many as can be had, from a machine's namespace; nothing is said on them.
  static std::vector<UniqueFd> connections(std::string const& machine, std::string const& to,
                                           std::size_t count) {
    rlimit descriptors{};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = std::min<rlim_t>(descriptors.rlim_max, count + 100);
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
    std::vector<UniqueFd> out;
    // A socket belongs to the namespace where it is made; only this thread goes there.
    std::jthread([&] {
      UniqueFd const there(::open(("/run/netns/shamon-kill-" + machine).c_str(), O_RDONLY));
      if (!there || ::setns(there.get(), CLONE_NEWNET) != 0) return;
      SocketAddress const address(*parse_endpoint(to));
      while (out.size() < count) {
        UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(fd.get(), address.get(), address.size) != 0) return;
        out.push_back(std::move(fd));
      }
    });
    return out;
  }

  json ask(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    auto const out = shamon(arguments);
    return json::parse(out.text, nullptr, false);
  }

  std::string root_;
  bool up_ = false;
};

TEST_F(CoalitionTest, SameLabelsTalkAcrossMachinesAndOthersAreRefusedWithTheRule) {
  bring_up();
  EXPECT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  EXPECT_TRUE(becomes(true, "red-a", "10.78.2.20", 10s));
  EXPECT_FALSE(ping("red-a", "10.78.2.10"));
  EXPECT_FALSE(ping("red-a", "10.78.1.10"));
  json const audit = ask({"audit", "tail", "--denied", "--host", "shype1"});
  ASSERT_TRUE(audit["data"]["records"].is_array()) << audit;
  bool remote = false;
  bool local = false;
  for (auto const& record : audit["data"]["records"]) {
    remote = remote || (record["subject"] == "red-a" && record["object"] == "green-b");
    local = local || (record["subject"] == "red-a" && record["object"] == "green-a");
    EXPECT_NE(record["rule"].get<std::string>().find("test.policy:"), std::string::npos);
  }
  EXPECT_TRUE(remote && local) << audit;
  EXPECT_EQ(shamon({"explain", "flow", "green-a", "green-b", "--host", "shype1"}).status, 0);
  EXPECT_EQ(shamon({"explain", "flow", "red-a", "green-b", "--host", "shype1"}).status, 12);
  EXPECT_EQ(shamon({"lab", "up", root_ + "/lab.toml"}).status, 6);  // it is up already

  // A card that is gone is a port the gate stops, and says so.
  ASSERT_EQ(run_process({"ip", "-n", "shamon-kill-red-a", "link", "del", "eth0"})->status, 0);
  auto const told = [&] {
    json const now = ask({"audit", "tail", "--denied", "--host", "shype1"});
    auto const& records = now["data"]["records"];
    return std::any_of(records.begin(), records.end(), [](json const& record) {
      return record["subject"] == "red-a" && record["hook"] == "port_attach";
    });
  };
  for (int tries = 0; tries < 50 && !told(); ++tries) std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(told());
}

TEST_F(CoalitionTest, AssociationsAreSealedWithTheCoalitionsFirstCipherAndShowIt) {
  std::string const lab =
      "esp_ciphers = [\"ENCR_CHACHA20_POLY1305\", \"ENCR_AES_GCM_16-256\"]\n" + std::string(kLab);
  ASSERT_TRUE(write_file_atomically(root_ + "/lab.toml", as_bytes(lab), 0644));
  bring_up();
  EXPECT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  for (char const* machine : {"shype1", "shype2"}) {
    json const status = ask({"status", "--host", machine});
    json const& associations = status["data"]["associations"];
    ASSERT_FALSE(associations.empty()) << status;
    for (auto const& association : associations) {
      EXPECT_EQ(association["cipher"], "ENCR_CHACHA20_POLY1305") << status;
    }
  }
  std::string const why =
      shamon({"explain", "flow", "green-a", "green-b", "--host", "shype1"}).text;
  EXPECT_NE(why.find("is open, ENCR_CHACHA20_POLY1305"), std::string::npos) << why;
}

/// A machine that guards something of its own from what the coalition calls red.
constexpr char kOwnPolicy[] = R"(coalition own revision 1
type mine_t
type foe_t
label mine { share mine_t }
label foe { share foe_t }
wall apart { mine_t foe_t }
map test { red = foe }
member host when platform in {lab}
member vm mine when image in {domain}
member vm foe when image in {domain}
)";

TEST_F(CoalitionTest, AMachinesOwnWallKeepsALabelOfTheCoalitionFromStartingBesideItsOwn) {
  std::string lab = kLab;
  lab.insert(lab.find("[[machine]]\nname = \"shype2\""), "machine_policy = \"own.policy\"\n");
  lab.insert(lab.find("[[vm]]"),
             "[[vm]]\nname = \"mine-a\"\nmachine = \"shype1\"\nlabel = \"mine\"\n"
             "kind = \"domain\"\naddress = \"10.78.1.30\"\n");
  ASSERT_TRUE(write_file_atomically(root_ + "/lab.toml", as_bytes(lab), 0644));
  ASSERT_TRUE(write_file_atomically(root_ + "/own.policy", as_bytes(kOwnPolicy), 0644));
  bring_up();
  EXPECT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s)) << "a member as any other";
  json const audit = ask({"audit", "tail", "--denied", "--host", "shype1"});
  // Both start at once: whoever comes second is refused.
  std::set<std::string> refused;
  for (auto const& record : audit["data"]["records"]) {
    if (record["hook"] != "vm_start") continue;
    EXPECT_NE(record["rule"].get<std::string>().find("/own.policy:6"), std::string::npos);
    refused.insert(record["subject"]);
  }
  ASSERT_EQ(refused.size(), 1u) << audit.dump(1);
  EXPECT_TRUE(refused.contains("red-a") || refused.contains("mine-a")) << audit.dump(1);
  bool const red_runs = refused.contains("mine-a");
  EXPECT_TRUE(red_runs ? becomes(true, "red-b", "10.78.1.20", 10s) : !ping("red-b", "10.78.1.20"));
  EXPECT_EQ(shamon({"attest", "explain", "shype1"}).status, 0);
}

TEST_F(CoalitionTest, AVmGetsItsAddressAndFindsByNameWhomItMayReach) {
  using testing::HasSubstr;
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  EXPECT_THAT(in("green-a", {"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "4", "-T",
                             "1", "-r", "10.78.1.20", "-s", "/bin/true"}),
              HasSubstr("lease of 10.78.1.10 obtained from 169.254.53.1"))
      << "its own, whatever it asks for";
  for (auto const* vm : {"green-a", "red-a"}) {
    EXPECT_EQ(in(vm, {"ip", "route", "add", "169.254.53.1/32", "dev", "eth0"}), "");
  }
  EXPECT_THAT(look_up("green-a", "green-a"), HasSubstr("10.78.1.10"));
  EXPECT_THAT(look_up("green-a", "green-b"), HasSubstr("10.78.2.10"));
  EXPECT_THAT(look_up("red-a", "red-a"), HasSubstr("10.78.1.20"));
  for (auto const* forbidden : {"red-a", "red-b", "none"}) {
    EXPECT_THAT(look_up("green-a", forbidden), HasSubstr("NXDOMAIN")) << forbidden;
  }
  EXPECT_THAT(look_up("red-a", "green-b"), HasSubstr("NXDOMAIN"));
  ASSERT_EQ(shamon({"host", "revoke", "shype2", "--reason", "test"}).status, 0);
  EXPECT_TRUE(becomes(false, "green-a", "10.78.2.10", 3s));
  EXPECT_THAT(look_up("green-a", "green-b"), HasSubstr("NXDOMAIN")) << "nobody of that machine";
}

TEST_F(CoalitionTest, ARevokedMachineIsCutOffAndStaysOut) {
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  ASSERT_EQ(shamon({"host", "revoke", "shype1", "--reason", "test"}).status, 0);
  EXPECT_TRUE(becomes(false, "green-a", "10.78.2.10", 3s));
  std::this_thread::sleep_for(3s);
  EXPECT_FALSE(ping("green-a", "10.78.2.10"));
  EXPECT_EQ(shamon({"attest", "explain", "shype1"}).status, 10);
  EXPECT_EQ(shamon({"attest", "explain", "shype2"}).status, 0);
}

TEST_F(CoalitionTest, KillingTheGateStopsEverythingAtOnce) {
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  kill_daemon("shype1/shamon-gate");
  EXPECT_FALSE(ping("green-a", "10.78.2.10"));
  EXPECT_FALSE(ping("red-a", "10.78.1.10"));
}

TEST_F(CoalitionTest, KillingTheHostMonitorLeavesTheGateEnforcingUntilTheLeaseEnds) {
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  kill_daemon("shype1/shamond");
  EXPECT_FALSE(ping("red-a", "10.78.2.10"));
  EXPECT_TRUE(becomes(false, "green-a", "10.78.2.10", 6s));
  std::this_thread::sleep_for(1s);
  EXPECT_FALSE(ping("green-a", "10.78.2.10"));
}

TEST_F(CoalitionTest, ARestartedHostMonitorTakesOverPortsAndAssociationsAndLosesNoPacket) {
  std::string const shorter = "lease_ms = 1500";
  std::string lab = kLab;
  // Longer than a monitor takes to come back: this is not about the lease.
  lab.replace(lab.find(shorter), shorter.size(), "lease_ms = 20000");
  ASSERT_TRUE(write_file_atomically(root_ + "/lab.toml", as_bytes(lab), 0644));
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  ASSERT_TRUE(becomes(true, "red-b", "10.78.1.20", 10s));
  auto const before = associations("shype1");
  ASSERT_FALSE(before.empty());

  std::string const pings = root_ + "/pings";
  ProcessSpec all{.arguments = {"ping", "-i", "0.05", "-c", "300", "-W", "2", "10.78.2.10"},
                  .output_path = pings,
                  .network_namespace = "shamon-kill-green-a"};
  auto talking = Process::spawn(all);
  ASSERT_TRUE(talking.has_value());
  talking->kill_on_drop(true);
  std::this_thread::sleep_for(1s);
  Process again;
  ASSERT_NO_FATAL_FAILURE(restart_monitor("shype1", again));
  EXPECT_FALSE(ping("red-a", "10.78.2.10")) << "nobody is there, and still";
  EXPECT_FALSE(ping("red-a", "10.78.1.10"));
  EXPECT_EQ(talking->wait(40s), 0);  // longer than what was left unwatched may stay
  std::string const said = read_text_file(pings).value_or("");
  EXPECT_NE(said.find("300 packets transmitted, 300 received, 0% packet loss"), std::string::npos)
      << said << read_text_file(root_ + "/labs/kill/shamond-again.log").value_or("");
  EXPECT_TRUE(ping("red-b", "10.78.1.20"));
  auto const after = associations("shype1");
  EXPECT_EQ(after.size(), before.size());
  for (auto const& [number, peer] : after) {
    EXPECT_EQ(before.count(number), 0u) << "negotiated anew: " << number << " with " << peer;
  }
  again.end();
}

TEST_F(CoalitionTest, APeerWhoseMonitorDoesNotComeBackIsClosedWhenItsSilenceWasTooLong) {
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  ASSERT_FALSE(associations("shype2").empty());
  kill_daemon("shype1/shamond");
  // A challenge period of one second, a timeout of two, and the tending in between.
  auto const end = std::chrono::steady_clock::now() + 8s;
  while (!associations("shype2").empty() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_TRUE(associations("shype2").empty());
}

TEST_F(CoalitionTest, SilentConnectionsOfStrangersTakeNoPlaceAmongTheNegotiations) {
  bring_up();
  std::vector<UniqueFd> const silent = connections("authority", "10.91.0.12:7443", 1200);
  ASSERT_EQ(silent.size(), 1200u);
  EXPECT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  EXPECT_TRUE(becomes(true, "red-b", "10.78.1.20", 10s));
  std::string const events =
      read_text_file(root_ + "/labs/kill/shype2/state/events.jsonl").value_or("");
  std::size_t told = 0;
  for (std::size_t at = 0; (at = events.find("connection_refused", at)) != events.npos; ++at)
    ++told;
  EXPECT_GE(told, 1u) << events;
  EXPECT_LE(told, 4u) << "one in ten seconds";
}

TEST_F(CoalitionTest, KillingTheAuthorityStopsInterMachineTrafficWhenTheLeaseEndsAndNotBefore) {
  bring_up();
  ASSERT_TRUE(becomes(true, "green-a", "10.78.2.10", 10s));
  kill_daemon("authority/shamon-authority");
  EXPECT_TRUE(ping("green-a", "10.78.2.10"));
  EXPECT_TRUE(becomes(false, "green-a", "10.78.2.10", 5s));
  std::this_thread::sleep_for(1s);
  EXPECT_FALSE(ping("green-a", "10.78.2.10"));
}

TEST_F(CoalitionTest, TheDemonstrationShowsEveryScene) {
  if (!std::filesystem::exists(SHAMON_BIN_DIR "/../images/vmlinux")) {
    GTEST_SKIP() << "SKIPPED: make the guests' images first: tools/guest-image/build";
  }
  auto const out =
      shamon({"lab", "up", SHAMON_SOURCE_DIR "/examples/boinc/lab.toml", "--demo"}, 360s);
  EXPECT_EQ(out.status, 0);
  EXPECT_NE(out.text.find("All scenes shown"), std::string::npos) << out.text;
  EXPECT_EQ(out.text.find("NOT SHOWN"), std::string::npos) << out.text;
  EXPECT_FALSE(std::filesystem::exists(root_ + "/labs/boinc"));
}

}  // namespace
}  // namespace shamon
