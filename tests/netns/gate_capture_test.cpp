// An independent reader of what the gates send: tshark knows the keys and checks every packet.
#include <csignal>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "netns/gate_fixture.hpp"

namespace shamon::netns {
namespace {

TEST_F(GateTest, tshark_decrypts_and_verifies_every_packet_of_a_captured_run) {
  if (!run("tshark --version").ok()) GTEST_SKIP() << "needs tshark (Debian package tshark)";
  if (!run("tcpdump --version").ok()) GTEST_SKIP() << "needs tcpdump (Debian package tcpdump)";
  std::string const file = lab_->directory + "/run.pcap";
  Process capture = start_capture(a(), file);
  ASSERT_TRUE(ping("g1", "10.77.0.2", 5));
  ASSERT_TRUE(run("ping -n -q -W 1 -c 3 -i 0.05 -s 1001 10.77.0.2", lab_->domain_ns("g1")).ok());
  Process server =
      start("socat -u TCP-LISTEN:9000,reuseaddr OPEN:/dev/null", lab_->domain_ns("g2"));
  ASSERT_TRUE(eventually([&] {
    return run("ss -ltn", lab_->domain_ns("g2")).output.find(":9000") != std::string::npos;
  }));
  ASSERT_TRUE(
      run("sh -c 'head -c 300001 /dev/zero | socat -u - TCP:10.77.0.2:9000'", lab_->domain_ns("g1"))
          .ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  capture.stop(SIGINT);

  std::string keys;
  for (std::size_t i = 0; i < lab_->shown_keys.size(); ++i) {
    GateLab::Shown const& shown = lab_->shown_keys[i];
    bool const from_a = i % 2 == 0;
    keys += fmt::format(
        " -o 'uat:esp_sa:\"IPv4\",\"{}\",\"{}\",\"{:#010x}\","
        "\"AES-GCM with 16 octet ICV [RFC4106]\",\"0x{}\",\"NULL\",\"\"'",
        from_a ? "192.0.2.1" : "192.0.2.2", from_a ? "192.0.2.2" : "192.0.2.1", shown.spi,
        shown.key_hex);
  }
  Ran const read = run("tshark -n -r " + file +
                       " -o esp.enable_encryption_decode:TRUE"
                       " -o esp.enable_authentication_check:TRUE" +
                       keys +
                       " -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -Y esp -T fields"
                       " -E occurrence=a -e esp.spi -e esp.icv_good -e esp.icv_bad"
                       " -e ip.checksum.status -e tcp.checksum.status -e icmp.checksum.status"
                       " 2>/dev/null");
  std::istringstream lines(read.output);
  std::size_t good = 0, tcp = 0, icmp = 0, all = 0;
  for (std::string line; std::getline(lines, line); ++all) {
    std::vector<std::string> fields(6);
    std::istringstream columns(line);
    for (std::string& field : fields) std::getline(columns, field, '\t');
    good += fields[1] == "1" && fields[2] != "1" ? 1 : 0;
    // The inner packet is whole: 1 is "good"; the last of the IPv4 ones is the inner.
    EXPECT_TRUE(fields[3].ends_with("1")) << line;
    if (!fields[4].empty()) tcp += fields[4] == "1" ? 1 : 0;
    if (!fields[5].empty()) icmp += fields[5] == "1" ? 1 : 0;
  }
  EXPECT_EQ(good, all) << read.output;
  EXPECT_GE(icmp, 16u);
  EXPECT_GE(tcp, 200u);
  gate::Statistics const sent = a().statistics(0, 1);
  EXPECT_EQ(all, sent.packets_in + sent.packets_out) << "every packet was seen and verified";
}

}  // namespace
}  // namespace shamon::netns
