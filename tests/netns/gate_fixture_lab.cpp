#include <csignal>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "netns/gate_fixture.hpp"

namespace shamon::netns {

void GateTest::set_up(GateLab::Options const& options) {
  if (::geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
  lab_.emplace(options);
  lab_->up(kPolicyText);
  ASSERT_DONE(lab_->domain(a(), 1, "g1", "green", "10.77.0.1"));
  ASSERT_DONE(lab_->domain(b(), 1, "g2", "green", "10.77.0.2"));
  ASSERT_DONE(lab_->open_pair(1, "green"));
}

bool GateTest::ping(std::string const& from, std::string const& address, int count) {
  return run("ping -n -q -i 0.05 -W 1 -c " + std::to_string(count) + " " + address,
             lab_->domain_ns(from))
      .ok();
}

std::string GateTest::policy(int revision, std::string const& more) {
  std::string text = kPolicyText;
  text.replace(text.find("revision 1"), 10, "revision " + std::to_string(revision));
  return text + more;
}

Process GateTest::start_capture(Machine& machine, std::string const& file) {
  // Runs of datagrams must be taken apart before the tap sees them.
  for (Machine* each : {&a(), &b()}) {
    EXPECT_TRUE(run("ethtool -K up0 gso off gro off tx-udp-segmentation off", each->ns).ok())
        << "needs ethtool (Debian package ethtool)";
  }
  Process capture = start(
      "tcpdump --immediate-mode -Z root -i up0 -U -s 2048 -B 32768 -w " + file + " udp port 4500",
      machine.ns);
  eventually([&] { return run("test -s " + file).ok(); });
  return capture;
}

std::vector<Bytes> GateTest::captured_payloads(Process capture, std::string const& file,
                                               std::string const& source) {
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  capture.stop(SIGINT);
  Result<Bytes> const content = read_file(file);
  std::vector<Bytes> payloads;
  if (!content) return payloads;
  Cursor in(*content);
  in.take(24);  // pcap file header
  while (in.ok() && !in.at_end()) {
    in.take(8);
    std::uint32_t const bytes = in.u32le();
    in.u32le();
    ByteView const frame = in.take(bytes);
    if (frame.size() < 42) break;
    Cursor address(frame.subspan(26, 4));
    if (Ipv4{address.u32be()} == *parse_ipv4(source))
      payloads.push_back(to_bytes(frame.subspan(42)));
  }
  return payloads;
}

void GateTest::send_datagram(Machine& from, Bytes const& payload, std::string const& source) {
  UniqueFd const here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  UniqueFd const there(::open(("/run/netns/" + from.ns).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::setns(there.get(), CLONE_NEWNET), 0);
  UniqueFd const udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::setns(here.get(), CLONE_NEWNET), 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(parse_ipv4(source)->bits);
  ASSERT_EQ(::bind(udp.get(), reinterpret_cast<sockaddr const*>(&own), sizeof own), 0) << source;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(4500);
  to.sin_addr.s_addr = htonl(parse_ipv4(lab_->other(from).address)->bits);
  ASSERT_EQ(::sendto(udp.get(), payload.data(), payload.size(), 0,
                     reinterpret_cast<sockaddr const*>(&to), sizeof to),
            static_cast<ssize_t>(payload.size()));
}

}  // namespace shamon::netns
