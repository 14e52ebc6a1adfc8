// With real QEMU, swtpm and the guest images of tools/guest-image/build.
#include "vm/qemu/qemu_driver.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "base/ipv4_text.hpp"
#include "monitor/permit_fixture.hpp"
#include "vm/qemu/qemu_arguments.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr auto kBootTimeout = 90s;  ///< 3 s on an idle machine without hardware virtualisation

std::string image_folder() {
  return std::string(SHAMON_BIN_DIR) + "/../images";
}

bool in_path(char const* program) {
  std::string path = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
  for (std::size_t at = 0; at <= path.size();) {
    auto const end = std::min(path.size(), path.find(':', at));
    if (::access((path.substr(at, end - at) + "/" + program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

UniqueFd connect_to(std::string const& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

/// Collects what arrives until it contains `wanted`.
std::string read_until(int fd, std::string const& wanted, Clock::duration timeout) {
  std::string text;
  auto const deadline = Clock::now() + timeout;
  while (text.find(wanted) == std::string::npos && Clock::now() < deadline) {
    pollfd entry{fd, POLLIN, 0};
    if (::poll(&entry, 1, 100) != 1) continue;
    char buffer[4096];
    auto const count = ::read(fd, buffer, sizeof buffer);
    if (count == 0) break;
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

/// TPM2_GetRandom of 8 bytes (TPM 2.0 part 3 §16.1), written by hand.
Status ask_tpm_for_random(std::string const& tcti) {
  constexpr std::string_view kPrefix = "swtpm:path=";
  if (!tcti.starts_with(kPrefix)) return fail(Errc::invalid, "unexpected TCTI " + tcti);
  auto const fd = connect_to(tcti.substr(kPrefix.size()));
  if (!fd) return fail_errno("connect to the vTPM");
  unsigned char const command[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8};
  if (::write(fd.get(), command, sizeof command) != ssize_t{sizeof command}) {
    return fail_errno("write to the vTPM");
  }
  unsigned char answer[64] = {};
  auto const count = ::read(fd.get(), answer, sizeof answer);
  if (count != 10 + 2 + 8 || answer[9] != 0) return fail(Errc::tpm, "no random bytes");
  return {};
}

/// "Who has 10.77.1.20? Tell 10.77.9.9" (RFC 826).
Bytes arp_request() {
  return {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x4d, 9, 9,  // Ethernet
          0x08, 0x06, 0,    1,    8,    0,    6,    4,    0, 1,           // ARP request
          0x52, 0x54, 0,    0x4d, 9,    9,    10,   77,   9, 9,           // sender
          0,    0,    0,    0,    0,    0,    10,   77,   1, 20};         // target
}

/// True once a datagram with the guest's ARP answer arrives.
bool answers_arp(int port, Clock::duration timeout) {
  auto const deadline = Clock::now() + timeout;
  while (Clock::now() < deadline) {
    auto const request = arp_request();
    (void)::send(port, request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    pollfd entry{port, POLLIN, 0};
    auto const next_try = Clock::now() + 300ms;
    while (Clock::now() < next_try) {
      if (::poll(&entry, 1, 50) != 1) continue;
      std::uint8_t frame[2048];
      auto const size = ::recv(port, frame, sizeof frame, MSG_DONTWAIT);
      std::uint8_t const target[] = {10, 77, 1, 20};
      if (size >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == 2 &&
          std::equal(target, target + 4, frame + 28)) {
        return true;
      }
    }
  }
  return false;
}

std::string children_of_this_process() {
  std::string all;
  for (auto const& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    std::string pid;
    while (children >> pid) all += pid + " ";
  }
  return all;
}

class QemuDriverTest : public FolderTest {
 protected:
  void SetUp() override {
    spec_.name = VmName("vm-red");
    spec_.kind = "qemu";
    spec_.kernel = image_folder() + "/vmlinux";
    spec_.initrd = image_folder() + "/red.initramfs";
    spec_.address = *parse_ipv4("10.77.1.20");
    spec_.mac = *parse_mac("52:54:00:4d:01:14");
    spec_.memory_mb = 128;
    spec_.state_folder = folder_ + "/vm-red";
  }

  /// Empty if all is there, else what is missing.
  std::string missing() {
    if (!in_path("qemu-system-x86_64")) return "apt-get install qemu-system-x86";
    if (!in_path("swtpm") || !in_path("swtpm_setup")) return "apt-get install swtpm swtpm-tools";
    auto const manifest = read_text_file(image_folder() + "/red.manifest.json");
    if (!manifest || ::access(spec_.kernel.c_str(), R_OK) != 0) {
      return "no guest images: run tools/guest-image/build (packages busybox-static cpio kmod "
             "xz-utils boinc-client)";
    }
    manifest_ = *manifest;
    return {};
  }

  VmSpec spec_;
  std::string manifest_;
  PermitFixture permits_;
};

TEST_F(QemuDriverTest, TheImagesAreMadeForOurCommandLine) {
  if (auto const what = missing(); !what.empty()) GTEST_SKIP() << what;
  EXPECT_THAT(manifest_,
              HasSubstr("\"command_line\": \"" + std::string(kGuestImageCommandLine) + "\""));
}

TEST_F(QemuDriverTest, StartsNothingItShouldNot) {
  auto driver = make_qemu_driver({});
  auto const other = driver->start(permits_.start("vm-green"), spec_);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::denied);

  auto no_kernel = spec_;
  no_kernel.kernel = folder_ + "/no-kernel";
  auto const without = driver->start(permits_.start("vm-red"), no_kernel);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, Errc::not_found);

  auto wrong_kind = spec_;
  wrong_kind.kind = "domain";
  EXPECT_FALSE(driver->start(permits_.start("vm-red"), wrong_kind));
  EXPECT_EQ(children_of_this_process(), "");
}

TEST_F(QemuDriverTest, AMissingProgramIsNamed) {
  std::ofstream(folder_ + "/file") << "x";
  spec_.kernel = spec_.initrd = folder_ + "/file";
  QemuOptions options;
  options.swtpm_setup = "shamon-no-swtpm-setup";
  auto const vm = make_qemu_driver(options)->start(permits_.start("vm-red"), spec_);
  ASSERT_FALSE(vm);
  EXPECT_THAT(vm.error().message, HasSubstr("swtpm-tools"));
}

TEST_F(QemuDriverTest, AFailedProvisioningLeavesNothingRunning) {
  if (auto const what = missing(); !what.empty()) GTEST_SKIP() << what;
  QemuOptions options;
  options.on_vtpm = [](VmName const&, std::string const&) -> Status {
    return fail(Errc::untrusted, "no");
  };
  auto const vm = make_qemu_driver(options)->start(permits_.start("vm-red"), spec_);
  ASSERT_FALSE(vm);
  EXPECT_EQ(vm.error().code, Errc::untrusted);
  EXPECT_EQ(children_of_this_process(), "");
}

TEST_F(QemuDriverTest, AKernelThatIsNoneIsAnErrorWithQemusWords) {
  if (auto const what = missing(); !what.empty()) GTEST_SKIP() << what;
  std::ofstream(folder_ + "/file") << "no kernel";
  spec_.kernel = folder_ + "/file";
  auto const vm = make_qemu_driver({})->start(permits_.start("vm-red"), spec_);
  ASSERT_FALSE(vm);
  EXPECT_THAT(vm.error().message, HasSubstr("kernel"));
  EXPECT_EQ(children_of_this_process(), "");
}

/// One boot, everything a guest must offer, in the order a host uses it.
TEST_F(QemuDriverTest, ARealGuestRunsTalksSleepsAndIsGone) {
  if (auto const what = missing(); !what.empty()) GTEST_SKIP() << what;
  Status provisioned = fail(Errc::internal, "never called");
  QemuOptions options;
  options.on_vtpm = [&](VmName const& name, std::string const& tcti) -> Status {
    EXPECT_EQ(name, spec_.name);
    return provisioned = ask_tpm_for_random(tcti);
  };
  auto driver = make_qemu_driver(options);
  std::unique_ptr<VmHandle> vm;
  // From a thread that ends: the guest must not end with it.
  std::thread([&] {
    auto started = driver->start(permits_.start("vm-red"), spec_);
    ASSERT_TRUE(started) << started.error().describe();
    vm = *std::move(started);
  }).join();
  ASSERT_TRUE(vm);
  ASSERT_TRUE(provisioned) << provisioned.error().describe();
  driver.reset();  // the VM lives on without its driver
  EXPECT_EQ(vm->state(), VmState::running);

  auto port = vm->take_port();
  ASSERT_TRUE(port);
  EXPECT_EQ(port->kind, PortDescriptor::Kind::datagram);
  EXPECT_FALSE(vm->take_port()) << "can be taken once";
  auto agent = vm->take_agent_channel();
  ASSERT_TRUE(agent && agent->has_value());
  EXPECT_FALSE(vm->take_agent_channel()) << "can be taken once";
  ASSERT_TRUE(answers_arp(port->descriptors[0].get(), kBootTimeout))
      << "the port carries no frames";

  EXPECT_TRUE(vm->suspend());
  EXPECT_EQ(vm->state(), VmState::suspended);
  EXPECT_FALSE(answers_arp(port->descriptors[0].get(), 1s)) << "a suspended guest answers";
  EXPECT_FALSE(vm->resume(permits_.start("vm-green"))) << "permit of another VM";
  EXPECT_TRUE(vm->resume(permits_.start("vm-red")));
  EXPECT_TRUE(answers_arp(port->descriptors[0].get(), 30s));

  auto const console = connect_to(vm->console_path());
  ASSERT_TRUE(console);
  // The agent holds its port while it runs; it is started again a second after it ended.
  std::string const typed =
      "\nwhile ! test -c /dev/virtio-ports/org.shamon.guest.0 || ! echo agent-channel-carries "
      ">/dev/virtio-ports/org.shamon.guest.0; do "
      "killall shamon-guest; done 2>/dev/null\n";
  ASSERT_GT(::write(console.get(), typed.data(), typed.size()), 0);
  EXPECT_THAT(read_until((*agent)->get(), "agent-channel-carries", 30s),
              HasSubstr("agent-channel-carries"));

  // A clean guest ran and read only what its manifest knows. The first entry is no file but a
  // digest over PCRs 0 to 9.
  std::string const list =
      "cut -d' ' -f4 /sys/kernel/security/ima/ascii_runtime_measurements | "
      "sed '1d;s/^sha256:/measured /'; echo measured-all\n";
  ASSERT_GT(::write(console.get(), list.data(), list.size()), 0);
  auto const log = read_until(console.get(), "\nmeasured-all", 30s);
  std::size_t measured = 0;
  constexpr std::string_view kEntry = "\nmeasured ";
  for (auto at = log.find(kEntry); at != std::string::npos; at = log.find(kEntry, at + 1)) {
    auto const digest = log.substr(at + kEntry.size(), 64);
    EXPECT_THAT(manifest_, HasSubstr(digest));
    ++measured;
  }
  EXPECT_GT(measured, 10u) << log;

  std::string const untrusted =
      "printf '#!/bin/sh\\necho untrusted\\n' >/usr/bin/untrusted; chmod +x /usr/bin/untrusted; "
      "untrusted; cp /usr/bin/untrusted /tmp/hidden; /tmp/hidden; "
      "grep -c untrusted /sys/kernel/security/ima/ascii_runtime_measurements | sed s/^/count-/\n";
  ASSERT_GT(::write(console.get(), untrusted.data(), untrusted.size()), 0);
  auto const said = read_until(console.get(), "\ncount-", 30s);
  EXPECT_THAT(said, HasSubstr("\ncount-")) << "the program is not in the measurement log";
  EXPECT_THAT(said, HasSubstr("Permission denied")) << "a tmpfs lets programs run unmeasured";

  EXPECT_FALSE(vm->stop(permits_.stop("vm-green"))) << "permit of another VM";
  EXPECT_TRUE(vm->stop(permits_.stop("vm-red")));
  EXPECT_EQ(vm->state(), VmState::stopped);
  EXPECT_FALSE(vm->suspend());
  vm.reset();
  EXPECT_EQ(children_of_this_process(), "");
}

TEST_F(QemuDriverTest, AGuestWhoseProcessDiesHasFailedAndCanStartAgain) {
  if (auto const what = missing(); !what.empty()) GTEST_SKIP() << what;
  auto driver = make_qemu_driver({});
  auto vm = driver->start(permits_.start("vm-red"), spec_);
  ASSERT_TRUE(vm) << vm.error().describe();
  pollfd entry{(*vm)->exit_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
  ASSERT_EQ(::syscall(SYS_pidfd_send_signal, (*vm)->exit_fd(), SIGKILL, nullptr, 0), 0);
  EXPECT_EQ(::poll(&entry, 1, 5000), 1) << "exit_fd must tell";
  EXPECT_EQ((*vm)->state(), VmState::failed);
  EXPECT_FALSE((*vm)->suspend());
  vm->reset();
  EXPECT_EQ(children_of_this_process(), "");
  auto again = driver->start(permits_.start("vm-red"), spec_);
  ASSERT_TRUE(again) << again.error().describe();
  again->reset();
  EXPECT_EQ(children_of_this_process(), "");
}

}  // namespace
}  // namespace shamon
