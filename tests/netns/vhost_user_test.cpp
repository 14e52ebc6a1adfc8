// A real QEMU guest whose network card is in the gate: its frames move in its own memory.
//
//   guest v1 10.77.0.5 ══vhost-user══ gate a ══underlay══ gate b ──TAP── g2 10.77.0.2
#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/ipv4_text.hpp"
#include "monitor/permit_fixture.hpp"
#include "netns/gate_fixture.hpp"
#include "netns/guest_console.hpp"
#include "vm/driver.hpp"

namespace shamon::netns {
namespace {

using ::testing::HasSubstr;

constexpr int kBootMs = 90'000;  ///< 3 s on an idle machine without hardware virtualisation
constexpr char const* kGuest = "10.77.0.5";
constexpr std::uint32_t kPort = 5;
constexpr MacAddress kMac{{2, 0, 10, 77, 0, 5}};

class VhostUserTest : public GateTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    GateTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::string const images = std::string(SHAMON_BIN_DIR) + "/../images";
    spec_.kernel = images + "/vmlinux";
    spec_.initrd = images + "/red.initramfs";
    if (::access(spec_.kernel.c_str(), R_OK) != 0 || ::access(spec_.initrd.c_str(), R_OK) != 0) {
      GTEST_SKIP() << "no guest images: run tools/guest-image/build";
    }
    if (!netns::run("which qemu-system-x86_64 swtpm swtpm_setup").ok()) {
      GTEST_SKIP() << "apt-get install qemu-system-x86 swtpm swtpm-tools";
    }
    spec_.name = VmName("v1");
    spec_.kind = "qemu";
    spec_.nic = Nic::vhost_user;
    spec_.packed_ring = GetParam();
    spec_.address = *parse_ipv4(kGuest);
    spec_.mac = kMac;
    spec_.memory_mb = 128;
    spec_.state_folder = lab_->directory + "/v1";
    boot();
  }

  void boot() {
    auto started = make_qemu_driver({})->start(permits_.start("v1"), spec_);
    ASSERT_TRUE(started) << started.error().describe();
    vm_ = *std::move(started);
    auto port = vm_->take_port();
    ASSERT_TRUE(port);
    ASSERT_EQ(port->kind, PortDescriptor::Kind::vhost_user);
    listener_ = std::move(port->descriptors[0]);
    ASSERT_DONE(attach());
    ASSERT_DONE(b().route(kGuest, "v1", "green", "a"));
    ASSERT_TRUE(eventually([&] { return ping("g2", kGuest); }, kBootMs)) << what_is_known();
    console_.emplace(vm_->console_path());
    ASSERT_TRUE(*console_);
  }

  std::string what_is_known() {
    std::string text = a().gate_running() ? "the gate runs\n" : "the gate has ended\n";
    for (auto const& fault : a().of<gate::PortFault>())
      text += fault.text.data() + std::string("\n");
    return text + netns::run("tail -n 20 " + spec_.state_folder + "/qemu.log " +
                             spec_.state_folder + "/console.log")
                      .output;
  }

  Status attach() {
    UniqueFd copy(::fcntl(listener_.get(), F_DUPFD_CLOEXEC, 0));
    return a().attach_socket(kPort, "v1", "green", kGuest, kMac, gate::PortKind::vhost_user,
                             std::move(copy));
  }

  /// From a domain of the other machine into the guest and back, byte for byte.
  void expect_streams_arrive() {
    std::string const sent = lab_->directory + "/sent", back = lab_->directory + "/back";
    ASSERT_TRUE(netns::run("head -c 6000000 /dev/urandom > " + sent).ok());
    Process sink = start("socat -u TCP-LISTEN:9000,reuseaddr OPEN:" + back + ",creat,trunc",
                         lab_->domain_ns("g2"));
    ASSERT_TRUE(console_->start("nc -l -p 9001 >/tmp/got; nc 10.77.0.2 9000 </tmp/got"));
    EXPECT_TRUE(eventually(
        [&] {
          return netns::run("socat -u FILE:" + sent + " TCP:" + kGuest + ":9001,connect-timeout=2",
                            lab_->domain_ns("g2"), 60)
              .ok();
        },
        20'000));
    EXPECT_TRUE(eventually([&] { return netns::run("cmp " + sent + " " + back).ok(); }, 60'000))
        << console_->run("ls -l /tmp; netstat -tn").output;
  }

  std::uint64_t counter(std::string const& name) {
    std::string const text = console_->run("cat /sys/class/net/eth0/statistics/" + name).output;
    std::size_t const digit = text.find_first_of("0123456789");
    EXPECT_NE(digit, std::string::npos) << text;
    return digit == std::string::npos ? 0 : std::strtoull(&text[digit], nullptr, 10);
  }

  VmSpec spec_;
  PermitFixture permits_;
  std::unique_ptr<VmHandle> vm_;
  UniqueFd listener_;
  std::optional<GuestConsole> console_;
};

TEST_P(VhostUserTest, a_guest_talks_through_its_own_memory_and_survives_its_gate) {
  EXPECT_TRUE(ping("g2", kGuest, 5));
  std::string const features = console_->run("cat /sys/class/net/eth0/device/features").output;
  std::size_t const first = features.find_first_of("01");
  ASSERT_NE(first, std::string::npos) << features;
  auto has = [&](std::size_t bit) { return features[first + bit] == '1'; };
  EXPECT_EQ(has(34), GetParam()) << "packed ring";
  EXPECT_TRUE(has(0) && has(1) && has(7) && has(11) && has(15)) << "offloads";
  EXPECT_TRUE(has(28) && has(29) && has(32)) << "indirect, event index, virtio 1";

  std::uint64_t const packets = counter("tx_packets"), bytes = counter("tx_bytes");
  ASSERT_NO_FATAL_FAILURE(expect_streams_arrive());
  std::uint64_t const more = counter("tx_packets") - packets;
  // Acknowledgements of what it received are among them.
  RecordProperty("tx_packets", std::to_string(more));
  EXPECT_GT(more, 0u);
  EXPECT_GT((counter("tx_bytes") - bytes) / more, 2 * 1420u) << "no super-packets";
  EXPECT_EQ(a().statistics(kPort).dropped_malformed, 0u);

  a().kill_gate(SIGKILL);
  EXPECT_FALSE(ping("g2", kGuest));
  a().start_gate();
  a().connect();
  ASSERT_DONE(a().load_policy(policy(2)));
  ASSERT_DONE(b().load_policy(policy(2)));
  ASSERT_DONE(a().lease(3600));
  ASSERT_DONE(b().close(1, "green"));
  ASSERT_DONE(lab_->open_pair(2, "green"));
  ASSERT_DONE(a().route("10.77.0.2", "g2", "green", "b"));
  ASSERT_DONE(attach());
  EXPECT_TRUE(eventually([&] { return ping("g2", kGuest, 3); }, 15'000)) << "QEMU came not back";
  EXPECT_THAT(console_->run("ping -c 2 -W 5 10.77.0.2").output, HasSubstr(" 0% packet loss"));
  expect_streams_arrive();
  EXPECT_TRUE(a().of<gate::PortFault>().empty());
}

TEST_P(VhostUserTest, a_guest_of_another_label_gets_no_answer_and_a_detached_port_is_silent) {
  ASSERT_DONE(lab_->domain(b(), 3, "r1", "red", "10.77.0.9"));
  EXPECT_FALSE(ping("r1", kGuest));
  EXPECT_THAT(console_->run("ping -c 1 -W 1 10.77.0.9").output, HasSubstr("100% packet loss"));
  EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::deny, [](gate::Audit const& audit) {
    return std::string_view(audit.subject.data()) == "v1";
  }));
  ASSERT_TRUE(ping("g2", kGuest));
  // The VM keeps running while the host monitor holds the socket back.
  listener_.reset();
  ASSERT_DONE(a().answer(a().detach(kPort)));
  EXPECT_FALSE(ping("g2", kGuest));
  EXPECT_THAT(console_->run("ping -c 1 -W 1 10.77.0.2").output, HasSubstr("100% packet loss"));
  EXPECT_TRUE(vm_->suspend());
  EXPECT_TRUE(vm_->resume(permits_.start("v1")));
  EXPECT_TRUE(vm_->stop(permits_.stop("v1")));
  EXPECT_EQ(vm_->state(), VmState::stopped);
}

INSTANTIATE_TEST_SUITE_P(Rings, VhostUserTest, ::testing::Bool(),
                         [](auto const& each) { return each.param ? "packed" : "split"; });

}  // namespace
}  // namespace shamon::netns
