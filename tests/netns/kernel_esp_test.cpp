// Our ESP against the Linux kernel's: a gate here, Debian's kernel in QEMU there, and keys that
// this test gives to both. Every row is one kind of association.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "netns/gate_fixture.hpp"
#include "netns/kernel_peer_lab.hpp"

namespace shamon::netns {
namespace {

struct Kind {
  AeadAlgorithm algorithm;
  char const* aead;   ///< the kernel's name for it
  char const* extra;  ///< more words for `ip xfrm state add`
};
constexpr Kind kKinds[] = {
    {AeadAlgorithm::encr_aes_gcm_16_256, "rfc4106(gcm(aes))", "replay-window 32"},
    {AeadAlgorithm::encr_aes_gcm_16_128, "rfc4106(gcm(aes))", "replay-window 32"},
    {AeadAlgorithm::encr_chacha20_poly1305, "rfc7539esp(chacha20,poly1305)", "replay-window 32"},
};

using Material = std::array<std::uint8_t, kAeadMaterialBytesMax>;

/// Random, as long as the cipher takes, then zeros.
Material make_material(AeadAlgorithm algorithm) {
  Material material{};
  EXPECT_EQ(::getrandom(material.data(), aead_material_bytes(algorithm), 0),
            static_cast<ssize_t>(aead_material_bytes(algorithm)));
  return material;
}

std::string shown(Material const& material, AeadAlgorithm algorithm) {
  return to_hex(ByteView(material).first(aead_material_bytes(algorithm)));
}

/// What a peer that is told this key says of it.
std::string spoilt(std::string key_hex) {
  key_hex[0] = key_hex[0] == '0' ? '1' : '0';
  return key_hex;
}

/// Bytes that repeat at no distance a packet could be mistaken by.
Bytes make_pattern(std::size_t bytes, std::uint32_t seed) {
  Bytes pattern(bytes);
  for (std::uint8_t& byte : pattern) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return pattern;
}

/// Machine a with its gate and domain g1 (10.77.0.1), and a kernel in place of machine b.
class KernelEspTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    if (std::string const what = KernelPeer::missing(); !what.empty()) {
      GTEST_SKIP() << "SKIPPED, our ESP was not tried with the kernel's: " << what;
    }
    lab_.emplace();
    a().start_gate();
    a().connect();
    ASSERT_DONE(a().load_policy(kPolicyText));
    ASSERT_DONE(a().lease(3600));
    ASSERT_DONE(lab_->lone_domain(a(), 1, "g1", "green", "10.77.0.1"));
    ASSERT_DONE(a().route(KernelPeer::inner_address(), "g2", "green", lab_->b->name));
    kernel_.emplace(*lab_);
    domain_ = lab_->domain_ns("g1");
  }

  Machine& a() { return *lab_->a; }

  /// Opens the gate's end; the returned tunnel is the kernel's.
  KernelTunnel open(std::uint32_t id, Kind const& kind);
  void tell_kernel(KernelTunnel const& tunnel) {
    Ran const set = kernel_->set_tunnel(tunnel);
    EXPECT_TRUE(set.ok()) << set.output;
  }
  void expect_both_ways(Kind const& kind, std::uint32_t id);
  void expect_tcp();
  void expect_udp();
  /// `patience_s`: for each answer. An emulated guest beside other work may need some.
  bool ping(std::size_t bytes, int count, int patience_s) {
    return run(fmt::format("ping -n -q -i 0.05 -W {} -c {} -s {} {}", patience_s, count, bytes,
                           KernelPeer::inner_address()),
               domain_)
        .ok();
  }
  bool guest_pings(std::size_t bytes, int count, int patience_s) {
    return kernel_
        ->run(fmt::format("ping -q -W {} -c {} -s {} 10.77.0.1", patience_s, count, bytes))
        .ok();
  }

  std::optional<GateLab> lab_;
  std::optional<KernelPeer> kernel_;
  std::string domain_;
};

KernelTunnel KernelEspTest::open(std::uint32_t id, Kind const& kind) {
  Material const in = make_material(kind.algorithm), out = make_material(kind.algorithm);
  AssociationSpec spec;
  spec.algorithm = kind.algorithm;
  spec.peer = {*parse_ipv4(lab_->b->address), 4500};
  spec.spi_in = Spi(0x2000 + id);
  spec.spi_out = Spi(0x1000 + id);
  spec.peer_name = HostName(lab_->b->name);
  spec.label = LabelName("green");
  spec.revision = a().policy->revision();
  spec.peer_member = spec.peer_attested = true;
  Status const opened = a().open(
      id, "green", spec, {Secret<kAeadMaterialBytesMax>(in), Secret<kAeadMaterialBytesMax>(out)});
  EXPECT_TRUE(opened.has_value()) << opened.error().describe();
  return {kind.aead,
          kind.extra,
          {spec.spi_out.value(), shown(out, kind.algorithm)},
          {spec.spi_in.value(), shown(in, kind.algorithm)}};
}

/// A file's worth of data there and back over one connection, and the same begun by the guest.
void KernelEspTest::expect_tcp() {
  std::string const sent = lab_->directory + "/sent", back = lab_->directory + "/back";
  Bytes const data = make_pattern(300'001, 1);
  ASSERT_TRUE(write_file_atomically(sent, data, 0600));
  Ran const echoed = run(fmt::format("sh -c 'socat -t 20 - TCP:{}:{} < {} > {}'",
                                     KernelPeer::inner_address(), kPeerTcpEchoPort, sent, back),
                         domain_);
  EXPECT_TRUE(echoed.ok()) << echoed.output;
  auto const got = read_file(back);
  ASSERT_TRUE(got) << got.error().describe();
  EXPECT_EQ(got->size(), data.size());
  EXPECT_TRUE(*got == data) << "the bytes differ";

  std::string const heard = lab_->directory + "/heard";
  Process server = start("socat -u TCP-LISTEN:9100,reuseaddr CREATE:" + heard, domain_);
  ASSERT_TRUE(eventually(
      [&] { return run("ss -ltn", domain_).output.find(":9100") != std::string::npos; }));
  EXPECT_TRUE(kernel_->run("seq 1 20000 | nc -w 20 10.77.0.1 9100").ok());
  EXPECT_TRUE(eventually([&] { return !server.running(); }));
  std::string expected;
  for (int i = 1; i <= 20'000; ++i) expected += fmt::format("{}\n", i);
  auto const text = read_text_file(heard);
  ASSERT_TRUE(text) << text.error().describe();
  EXPECT_TRUE(*text == expected) << text->size() << " bytes of " << expected.size();
}

/// Datagrams of every padding and some sizes, each there and back.
void KernelEspTest::expect_udp() {
  UniqueFd const here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  UniqueFd const there(::open(("/run/netns/" + domain_).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::setns(there.get(), CLONE_NEWNET), 0);
  UniqueFd const udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::setns(here.get(), CLONE_NEWNET), 0);
  timeval const patience{10, 0};
  ASSERT_EQ(::setsockopt(udp.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kPeerUdpEchoPort);
  to.sin_addr.s_addr = htonl(parse_ipv4(KernelPeer::inner_address())->bits);
  ASSERT_EQ(::connect(udp.get(), reinterpret_cast<sockaddr const*>(&to), sizeof to), 0);
  for (std::size_t bytes : {0, 1, 2, 3, 4, 5, 16, 17, 63, 500, 1000, 1391, 1392}) {
    Bytes const data = make_pattern(bytes, static_cast<std::uint32_t>(bytes));
    ASSERT_EQ(::send(udp.get(), data.data(), data.size(), 0), static_cast<ssize_t>(bytes));
    Bytes answer(2000);
    ssize_t const got = ::recv(udp.get(), answer.data(), answer.size(), 0);
    ASSERT_EQ(got, static_cast<ssize_t>(bytes)) << "nothing came back";
    answer.resize(bytes);
    EXPECT_TRUE(answer == data) << bytes << " bytes came back changed";
  }
}

void KernelEspTest::expect_both_ways(Kind const& kind, std::uint32_t id) {
  KernelTunnel const right = open(id, kind);
  KernelTunnel wrong = right;

  wrong.out.key_hex = spoilt(right.out.key_hex);
  tell_kernel(wrong);
  EXPECT_FALSE(guest_pings(100, 2, 1));
  EXPECT_EQ(a().statistics(0, id).packets_in, 0u);
  EXPECT_EQ(a().statistics(0, id).dropped_icv, 2u) << "the kernel seals with another key";

  wrong = right;
  wrong.in.key_hex = spoilt(right.in.key_hex);
  tell_kernel(wrong);
  std::uint64_t const before = kernel_->counter("XfrmInStateProtoError");
  EXPECT_FALSE(ping(100, 2, 1));
  EXPECT_EQ(kernel_->counter("XfrmInStateProtoError"), before + 2) << "the kernel opens with it";

  tell_kernel(right);
  EXPECT_TRUE(ping(1000, 3, 5));
  EXPECT_TRUE(guest_pings(900, 2, 5));
  expect_udp();
  expect_tcp();

  gate::Statistics const passed = a().statistics(0, id);
  EXPECT_GT(passed.bytes_in, 400'000u);
  EXPECT_GT(passed.bytes_out, 300'000u);
  EXPECT_EQ(passed.dropped_icv, 2u) << "none but those above";
  EXPECT_EQ(passed.dropped_replay, 0u);
  EXPECT_EQ(passed.dropped_malformed, 0u);
  EXPECT_EQ(kernel_->counter("XfrmInStateProtoError"), before + 2);
  EXPECT_EQ(kernel_->counter("XfrmInStateSeqError"), 0u);
  ASSERT_DONE(a().close(id, "green"));
}

TEST_F(KernelEspTest, every_cipher_passes_both_ways_and_another_key_does_not) {
  RecordProperty("boot_seconds", fmt::format("{:.1f}", kernel_->boot_seconds()));
  std::uint32_t id = 1;
  for (Kind const& kind : kKinds) {
    SCOPED_TRACE(std::string(to_string(kind.algorithm)) + " " + kind.extra);
    expect_both_ways(kind, id++);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace shamon::netns
