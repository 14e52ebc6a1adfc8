// Real gates in namespaces: what passes, what does not, and what is said about it. The topology
// is drawn in gate_lab.hpp.
#include <csignal>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/ipv4_text.hpp"
#include "netns/gate_fixture.hpp"
#include "tunnel/packet_fixture.hpp"

namespace shamon::netns {
namespace {

TEST_F(GateTest, green_reaches_green_on_the_other_machine_through_esp) {
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  gate::Statistics const sent = a().statistics(0, 1);
  EXPECT_GE(sent.packets_out, 3u);
  EXPECT_GE(sent.packets_in, 3u);
  EXPECT_GT(sent.last_passed_ns, 0);
  EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::allow));
  EXPECT_TRUE(b().audited(Hook::flow_in, Verdict::allow));
}

TEST_F(GateTest, a_tcp_stream_arrives_byte_for_byte) {
  std::string const from = lab_->directory + "/sent", to = lab_->directory + "/received";
  ASSERT_TRUE(run("head -c 30000000 /dev/urandom > " + from).ok());
  Process server =
      start("socat -u TCP-LISTEN:9000,reuseaddr OPEN:" + to + ",creat", lab_->domain_ns("g2"));
  ASSERT_TRUE(eventually([&] {
    return run("ss -ltn", lab_->domain_ns("g2")).output.find(":9000") != std::string::npos;
  }));
  ASSERT_TRUE(run("socat -u FILE:" + from + " TCP:10.77.0.2:9000", lab_->domain_ns("g1")).ok());
  EXPECT_TRUE(eventually([&] { return run("cmp " + from + " " + to).ok(); }));
  gate::Statistics const total = b().statistics();
  EXPECT_EQ(total.dropped_icv, 0u);
  EXPECT_EQ(total.dropped_replay, 0u);
}

TEST_F(GateTest, two_domains_of_one_machine_talk_without_the_underlay) {
  ASSERT_DONE(lab_->domain(a(), 2, "g3", "green", "10.77.0.3"));
  ASSERT_DONE(a().lease(0));
  EXPECT_TRUE(ping("g1", "10.77.0.3"));
  EXPECT_EQ(a().statistics(0, 1).packets_out, 0u);
}

TEST_F(GateTest, red_to_green_is_refused_and_audited_on_one_machine_and_across) {
  ASSERT_DONE(lab_->domain(a(), 2, "r1", "red", "10.77.0.3"));
  for (char const* address : {"10.77.0.1", "10.77.0.2"}) {
    EXPECT_FALSE(ping("r1", address)) << address;
    EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::deny, [&](gate::Audit const& audit) {
      return audit.destination == parse_ipv4(address)->bits && audit.revision == 1 &&
             audit.reason == static_cast<std::uint32_t>(Reason::no_common_type) &&
             std::string_view(audit.subject.data()) == "r1" &&
             std::string_view(audit.subject_label.data()) == "red" &&
             std::string_view(audit.object_label.data()) == "green" && audit.protocol == 1;
    })) << address;
  }
  EXPECT_GE(a().statistics(2).dropped_policy, 2u);
  EXPECT_EQ(a().statistics(2).packets_in, 0u);
}

TEST_F(GateTest, the_receiver_refuses_what_a_careless_sender_lets_through) {
  // Machine a enforces a laxer policy than machine b: b decides for itself.
  ASSERT_DONE(a().load_policy(policy(2, "allow red -> green\n")));
  ASSERT_DONE(b().load_policy(policy(2)));
  ASSERT_DONE(lab_->domain(a(), 2, "r1", "red", "10.77.0.3"));
  ASSERT_DONE(lab_->open_pair(2, "red"));
  EXPECT_FALSE(ping("r1", "10.77.0.2"));
  EXPECT_TRUE(b().audited(Hook::flow_in, Verdict::deny, [](gate::Audit const& audit) {
    return std::string_view(audit.subject.data()) == "r1" &&
           std::string_view(audit.object.data()) == "g2";
  }));
  EXPECT_GE(b().statistics(0, 2).dropped_policy, 1u);
  EXPECT_EQ(b().statistics(1).packets_out, 0u);
}

TEST_F(GateTest, a_refusal_that_repeats_is_told_once_a_second_with_its_count) {
  ASSERT_DONE(lab_->domain(a(), 2, "r1", "red", "10.77.0.3"));
  run("ping -n -q -i 0.01 -W 1 -c 30 10.77.0.1", lab_->domain_ns("r1"));
  std::uint32_t told = 0, records = 0;
  EXPECT_TRUE(eventually([&] {
    told = records = 0;
    for (gate::Audit const& audit : a().audits(Hook::flow_out, Verdict::deny)) {
      told += audit.count;
      ++records;
    }
    return told >= 30;
  })) << told;
  EXPECT_LE(records, 5u);
}

TEST_F(GateTest, a_source_address_that_is_not_the_ports_is_dropped_and_audited_as_spoofed) {
  std::string const ns = lab_->domain_ns("g1");
  struct Row {
    char const* change;
    char const* command;
  };
  constexpr Row kRows[] = {
      {"ip addr add 10.77.0.99/16 dev vm0", "ping -n -q -W 1 -c 1 -I 10.77.0.99 10.77.0.2"},
      {"ip link set vm0 address 02:00:00:00:00:77", "ping -n -q -W 1 -c 1 10.77.0.2"},
  };
  for (Row const& row : kRows) {
    std::uint64_t const before = a().statistics(1).dropped_spoof;
    ASSERT_TRUE(run(row.change, ns).ok());
    EXPECT_FALSE(run(row.command, ns).ok()) << row.command;
    EXPECT_GT(a().statistics(1).dropped_spoof, before) << row.change;
  }
  EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::deny, [](gate::Audit const& audit) {
    return audit.reason == gate::kReasonSpoofedSource;
  }));
}

TEST_F(GateTest, a_peer_cannot_speak_for_a_vm_that_is_not_behind_it) {
  ASSERT_DONE(lab_->domain(a(), 2, "g3", "green", "10.77.0.3"));
  // b is told that g3 lives elsewhere.
  ASSERT_DONE(b().route("10.77.0.3", "g3", "green", "third"));
  EXPECT_FALSE(ping("g3", "10.77.0.2"));
  EXPECT_TRUE(b().audited(Hook::flow_in, Verdict::deny, [](gate::Audit const& audit) {
    return audit.reason == gate::kReasonForeignSource;
  }));
}

TEST_F(GateTest, nothing_passes_between_machines_after_the_lease_and_all_again_after_renewal) {
  ASSERT_TRUE(ping("g1", "10.77.0.2"));
  Process flood = start("ping -n -q -i 0.01 10.77.0.2", lab_->domain_ns("g1"));
  Instant const end = read_monotonic_clock() + std::chrono::milliseconds(400);
  ASSERT_DONE(a().lease(0.4));
  ASSERT_TRUE(eventually([&] { return a().statistics(1).dropped_lease > 10; }));
  EXPECT_LT(a().statistics(0, 1).last_passed_ns, end.ns + 1'000'000);
  EXPECT_EQ(a().statistics(0, 1).dropped_replay, 0u);
  flood.stop(SIGKILL);
  // The other direction: b still has its lease, a lets nothing in.
  std::uint64_t const before = a().statistics(0, 1).dropped_lease;
  EXPECT_FALSE(ping("g2", "10.77.0.1"));
  EXPECT_GT(a().statistics(0, 1).dropped_lease, before);
  ASSERT_DONE(a().lease(60));
  EXPECT_TRUE(ping("g1", "10.77.0.2"));
}

TEST_F(GateTest, closing_an_association_stops_traffic_at_once) {
  Process flood = start("ping -n -q -i 0.01 10.77.0.2", lab_->domain_ns("g1"));
  ASSERT_TRUE(eventually([&] { return a().statistics(0, 1).packets_in > 5; }));
  gate::Done done;
  ASSERT_DONE(a().close(1, "green", gate::CloseReason::peer_revoked, &done));
  auto const ended = a().of<gate::AssociationEnded>();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].reason, static_cast<std::uint32_t>(gate::CloseReason::peer_revoked));
  EXPECT_GT(ended[0].last_passed_ns, 0);
  EXPECT_LE(ended[0].last_passed_ns, done.at_ns);
  std::uint64_t const passed = b().statistics(0, 1).packets_in;
  EXPECT_TRUE(eventually([&] { return a().statistics(1).dropped_no_association > 5; }));
  EXPECT_EQ(b().statistics(0, 1).packets_in, passed);
  // And asks for a new one, once a second at most.
  EXPECT_TRUE(eventually([&] { return !a().of<gate::AssociationWanted>().empty(); }));
  EXPECT_LE(a().of<gate::AssociationWanted>().size(), 3u);
}

TEST_F(GateTest, another_key_means_every_packet_fails_its_check) {
  ASSERT_DONE(a().close(1, "green"));
  ASSERT_DONE(b().close(1, "green"));
  ASSERT_DONE(lab_->open_pair(3, "green", false, true));
  EXPECT_FALSE(ping("g1", "10.77.0.2", 3));
  EXPECT_EQ(b().statistics(0, 3).dropped_icv, 3u);
  EXPECT_EQ(b().statistics(0, 3).packets_in, 0u);
}

TEST_F(GateTest, a_recorded_datagram_sent_again_is_dropped_as_replay) {
  std::string const file = lab_->directory + "/replay.pcap";
  Process capture = start_capture(a(), file);
  ASSERT_TRUE(ping("g1", "10.77.0.2", 3));
  std::vector<Bytes> const sent = captured_payloads(std::move(capture), file, "192.0.2.1");
  ASSERT_EQ(sent.size(), 3u);
  std::uint64_t const passed = b().statistics(0, 1).packets_in;
  for (Bytes const& payload : sent) send_datagram(a(), payload);
  EXPECT_TRUE(eventually([&] { return b().statistics(0, 1).dropped_replay == 3; }));
  // Altered on the way and with a fresh number: the check fails, the window stays as it was.
  Bytes forged = sent.back();
  forged[7] = 0x7f;
  send_datagram(a(), forged);
  EXPECT_TRUE(eventually([&] { return b().statistics(0, 1).dropped_icv == 1; }));
  EXPECT_EQ(b().statistics(0, 1).packets_in, passed);
  EXPECT_TRUE(ping("g1", "10.77.0.2"));
}

TEST_F(GateTest, datagrams_that_are_no_esp_are_counted_and_do_no_harm) {
  for (Bytes const& bytes : {Bytes{0xff}, Bytes{0, 0, 0, 0, 1, 2, 3}, Bytes(40, 0x11), Bytes{1}}) {
    send_datagram(b(), bytes);
  }
  EXPECT_TRUE(eventually([&] {
    gate::Statistics const total = a().statistics();
    return total.dropped_malformed >= 3 && total.dropped_no_association == 1;
  }));
  EXPECT_TRUE(ping("g1", "10.77.0.2"));
}

TEST_F(GateTest, what_no_association_could_have_sent_is_dropped_before_the_gate) {
  ASSERT_TRUE(run("ip addr add 192.0.2.9/32 dev lo", b().ns).ok());
  ASSERT_TRUE(run("ip route add 192.0.2.9/32 via 192.0.2.2", a().ns).ok());
  auto const esp = [](std::uint32_t spi) {
    Bytes datagram(100, 0x7f);
    put_u32be(datagram.data(), spi);
    return datagram;
  };
  constexpr std::uint32_t kSpi = 0x20010;  // of the association, towards a
  auto const queue_is_empty = [&] {
    Ran const sockets = run("ss -Hnul", a().ns);
    std::smatch found;
    std::regex const row(R"(UNCONN +(\d+) +\d+ +192\.0\.2\.1:4500)");
    EXPECT_TRUE(std::regex_search(sockets.output, found, row)) << sockets.output;
    return !found.empty() && found[1] == "0";
  };
  // A gate that stands still reads nothing: what the kernel lets through waits in the socket.
  auto const waits = [&](Bytes const& datagram, std::string const& source = "0.0.0.0") {
    EXPECT_TRUE(eventually(queue_is_empty));
    ::kill(a().gate_pid(), SIGSTOP);
    send_datagram(b(), datagram, source);
    bool const empty = queue_is_empty();
    ::kill(a().gate_pid(), SIGCONT);
    return !empty;
  };
  EXPECT_TRUE(waits(esp(kSpi)));
  EXPECT_FALSE(waits(esp(kSpi), "192.0.2.9")) << "a stranger with the SPI of another";
  EXPECT_FALSE(waits(esp(kSpi + 1))) << "the peer with an SPI of none";
  EXPECT_FALSE(waits(esp(kSpi + 1), "192.0.2.9"));
  EXPECT_TRUE(eventually([&] { return a().statistics(0, 1).dropped_icv == 1; }));
  EXPECT_EQ(a().statistics().dropped_no_association, 3u);
  EXPECT_TRUE(ping("g1", "10.77.0.2"));
  ASSERT_DONE(a().close(1, "green"));
  EXPECT_FALSE(waits(esp(kSpi))) << "after the end of the association";
  ASSERT_DONE(b().close(1, "green"));
  ASSERT_DONE(lab_->open_pair(2, "green"));
  EXPECT_TRUE(ping("g1", "10.77.0.2"));
}

TEST_F(GateTest, without_the_right_to_filter_in_the_kernel_it_says_so_and_checks_all_itself) {
  a().kill_gate(SIGTERM);
  a().gate_program = "setpriv --bounding-set=-bpf,-sys_admin " + a().gate_program;
  a().start_gate();
  a().connect();
  EXPECT_TRUE(run("grep 'no filter in the kernel' " + lab_->directory + "/a.log").ok());
  send_datagram(b(), Bytes(100, 0x7f));
  EXPECT_TRUE(eventually([&] { return a().statistics().dropped_no_association == 1; }));
}

TEST_F(GateTest, a_policy_without_the_label_cuts_what_ran_under_it) {
  ASSERT_TRUE(ping("g1", "10.77.0.2"));
  ASSERT_DONE(
      a().load_policy("coalition test revision 2\n"
                      "type red_t\nlabel red { share red_t }\nallow red <-> red\n"));
  auto const ended = a().of<gate::AssociationEnded>();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].reason, static_cast<std::uint32_t>(gate::CloseReason::policy_changed));
  EXPECT_FALSE(ping("g1", "10.77.0.2"));
  EXPECT_TRUE(a().audited(Hook::association_open, Verdict::deny));
  EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::deny, [](gate::Audit const& audit) {
    return audit.revision == 2 && audit.reason == static_cast<std::uint32_t>(Reason::unknown_label);
  }));
}

TEST_F(GateTest, a_newer_policy_applies_to_the_very_next_packet) {
  ASSERT_DONE(lab_->domain(a(), 2, "r1", "red", "10.77.0.3"));
  EXPECT_FALSE(ping("r1", "10.77.0.1"));
  ASSERT_DONE(a().load_policy(policy(2, "allow red <-> green\n")));
  EXPECT_TRUE(ping("r1", "10.77.0.1"));
  ASSERT_DONE(a().load_policy(policy(3)));
  EXPECT_FALSE(ping("r1", "10.77.0.1"));
}

TEST_F(GateTest, a_service_opens_its_port_and_the_way_back_and_nothing_else) {
  ASSERT_DONE(lab_->domain(a(), 2, "r1", "red", "10.77.0.3"));
  ASSERT_DONE(a().load_policy(policy(2, "allow red <-> green tcp/9000\n")));
  std::string const ns = lab_->domain_ns("g1");
  Process open = start("socat TCP-LISTEN:9000,reuseaddr,fork SYSTEM:'echo hello'", ns);
  Process shut = start("socat TCP-LISTEN:9001,reuseaddr,fork SYSTEM:'echo hello'", ns);
  ASSERT_TRUE(
      eventually([&] { return run("ss -ltn", ns).output.find(":9001") != std::string::npos; }));
  auto answer = [&](char const* port) {
    return run(std::string("socat -T1 - TCP:10.77.0.1:") + port + ",connect-timeout=1",
               lab_->domain_ns("r1"))
        .output;
  };
  EXPECT_EQ(answer("9000"), "hello\n");
  EXPECT_THAT(answer("9001"), ::testing::Not(::testing::HasSubstr("hello")));
  EXPECT_FALSE(ping("r1", "10.77.0.1"));
}

TEST_F(GateTest, a_host_monitor_that_dies_leaves_the_state_in_force_and_finds_it_again) {
  a().disconnect();
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  a().events.clear();
  a().connect();
  ASSERT_TRUE(eventually([&] { return !a().of<gate::StateEnd>().empty(); }));
  EXPECT_EQ(a().of<gate::StateEnd>()[0].policy_revision, 1u);
  auto const states = a().of<gate::State>();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].port, 1u);
  EXPECT_STREQ(states[0].vm_or_peer.data(), "g1");
  EXPECT_EQ(states[1].association, 1u);
  EXPECT_STREQ(states[1].vm_or_peer.data(), "b");
  EXPECT_EQ(states[1].revision, 1u);
  ASSERT_DONE(a().lease(60));
}

TEST_F(GateTest, routes_of_an_earlier_host_monitor_stand_until_the_next_has_said_all_of_its_own) {
  a().disconnect();
  a().connect();
  EXPECT_TRUE(ping("g1", "10.77.0.2", 3));
  ASSERT_DONE(a().routes_are_whole());
  EXPECT_FALSE(ping("g1", "10.77.0.2"));
}

TEST_F(GateTest, what_is_to_be_said_of_thousands_of_associations_is_said) {
  constexpr std::uint32_t kFirst = 100, kCount = 6000;
  AssociationSpec spec;
  spec.peer = {*parse_ip("192.0.2.9"), 4500};
  spec.lanes = a().workers;
  spec.label = LabelName("green");
  spec.revision = a().policy->revision();
  spec.peer_member = spec.peer_attested = true;
  for (std::uint32_t id = kFirst; id < kFirst + kCount; ++id) {
    spec.peer_name = HostName("p" + std::to_string(id));
    spec.spi_in = Spi(0x200000 + id * kLanesMax);
    spec.spi_out = Spi(0x800000 + id * kLanesMax);
    AssociationKeys keys;
    for (auto* key : {&keys.in, &keys.out}) {
      ASSERT_EQ(::getrandom(key->expose_mutable().data(), 36, 0), 36);
    }
    ASSERT_DONE(a().open(id, "green", spec, std::move(keys)));
  }
  EXPECT_EQ(a().statistics(0, kFirst + kCount - 1).association, kFirst + kCount - 1);
  a().disconnect();
  a().events.clear();
  a().connect();
  ASSERT_TRUE(eventually([&] { return !a().of<gate::StateEnd>().empty(); }));
  EXPECT_GT(a().of<gate::State>().size(), kCount);
  a().events.clear();
  ASSERT_DONE(
      a().load_policy("coalition test revision 2\ntype other_t\nlabel other { share other_t }\n"));
  EXPECT_TRUE(
      eventually([&] { return a().of<gate::AssociationEnded>().size() >= kCount; }, 10'000));
}

TEST_F(GateTest, refusals_while_nobody_listens_are_counted_and_told_afterwards) {
  ASSERT_DONE(lab_->domain(a(), 2, "r1", "red", "10.77.0.3"));
  a().disconnect();
  EXPECT_FALSE(ping("r1", "10.77.0.1"));
  a().connect();
  ASSERT_TRUE(eventually([&] { return !a().of<gate::StateEnd>().empty(); }));
  a().events.clear();
  EXPECT_FALSE(ping("r1", "10.77.0.2"));
  EXPECT_TRUE(a().audited(Hook::flow_out, Verdict::deny,
                          [](gate::Audit const& audit) { return audit.lost_total >= 1; }));
}

TEST_F(GateTest, a_killed_gate_passes_nothing_and_its_successor_starts_empty) {
  a().kill_gate(SIGKILL);
  EXPECT_FALSE(ping("g1", "10.77.0.2"));
  EXPECT_FALSE(ping("g2", "10.77.0.1"));
  a().start_gate();
  a().connect();
  EXPECT_TRUE(eventually([&] { return !a().of<gate::StateEnd>().empty(); }));
  EXPECT_TRUE(a().of<gate::State>().empty());
  EXPECT_EQ(a().of<gate::StateEnd>()[0].policy_revision, 0u);
}

TEST_F(GateTest, a_second_client_is_turned_away) {
  auto second = GateClient::connect(lab_->directory + "/a.gate");
  ASSERT_TRUE(eventually([&] { return !second || !second->receive(); }));
  ASSERT_DONE(a().lease(60));
}

TEST_F(GateTest, commands_the_monitor_does_not_permit_are_refused_with_their_reason) {
  AssociationSpec spec;
  spec.peer = {*parse_ip("192.0.2.2"), 4500};
  spec.spi_in = Spi(0x9001);
  spec.spi_out = Spi(0x9002);
  spec.peer_name = HostName("b");
  spec.label = LabelName("red");
  spec.revision = Revision(1);
  spec.peer_member = spec.peer_attested = true;
  struct Row {
    char const* name;
    std::function<void(AssociationSpec&)> change;
    Errc code;
  };
  Row const rows[] = {
      {"not a member", [](auto& s) { s.peer_member = false; }, Errc::denied},
      {"not attested", [](auto& s) { s.peer_attested = false; }, Errc::denied},
      {"unknown label", [](auto& s) { s.label = LabelName("blue"); }, Errc::denied},
      {"older revision", [](auto& s) { s.revision = Revision(0); }, Errc::stale},
      {"newer revision", [](auto& s) { s.revision = Revision(2); }, Errc::stale},
      {"no cipher", [](auto& s) { s.algorithm = AeadAlgorithm{}; }, Errc::unsupported},
      {"longer keys than the cipher's",
       [](auto& s) { s.algorithm = AeadAlgorithm::encr_aes_gcm_16_128; }, Errc::invalid},
      {"reserved SPI", [](auto& s) { s.spi_in = Spi(255); }, Errc::invalid},
      {"SPI in use", [](auto& s) { s.spi_in = Spi(0x20010); }, Errc::conflict},
      {"pair in use", [](auto& s) { s.label = LabelName("green"); }, Errc::conflict},
  };
  std::array<std::uint8_t, 36> one{1}, two{2};
  one.back() = two.back() = 3;
  for (Row const& row : rows) {
    AssociationSpec changed = spec;
    row.change(changed);
    Status const done =
        a().open(9, changed.label.value(), changed, {Secret<36>(one), Secret<36>(two)});
    ASSERT_FALSE(done.has_value()) << row.name;
    EXPECT_EQ(done.error().code, row.code) << row.name << ": " << done.error().message;
  }
  EXPECT_EQ(a().open(9, "red", spec, {Secret<36>(one), Secret<36>(one)}).error().code,
            Errc::invalid)
      << "one key for both directions";
  ASSERT_DONE(a().open(9, "red", spec, {Secret<36>(one), Secret<36>(two)}));
  EXPECT_TRUE(a().audited(Hook::association_open, Verdict::deny));
}

TEST_F(GateTest, a_rekey_under_load_loses_no_packet) {
  Process flood = start("sh -c 'ping -n -i 0.005 -c 200 10.77.0.2 > " + lab_->directory + "/out'",
                        lab_->domain_ns("g1"));
  ASSERT_TRUE(eventually([&] { return a().statistics(0, 1).packets_in > 20; }));
  ASSERT_DONE(lab_->open_pair(2, "green", true));
  EXPECT_TRUE(eventually([&] { return !flood.running(); }, 5000));
  EXPECT_THAT(run("cat " + lab_->directory + "/out").output,
              ::testing::HasSubstr(" 0% packet loss"));
  EXPECT_GT(a().statistics(0, 2).packets_out, 20u);
  EXPECT_TRUE(eventually([&] { return !a().of<gate::AssociationEnded>().empty(); }, 6000));
  EXPECT_EQ(a().of<gate::AssociationEnded>()[0].association, 1u);
  EXPECT_EQ(a().of<gate::AssociationEnded>()[0].reason,
            static_cast<std::uint32_t>(gate::CloseReason::rekeyed));
  EXPECT_TRUE(ping("g1", "10.77.0.2"));
}

TEST_F(GateTest, an_association_asks_for_a_rekey_at_its_soft_bound_and_ends_at_the_hard_one) {
  ASSERT_DONE(a().close(1, "green"));
  AssociationSpec spec;
  spec.peer = {*parse_ip("192.0.2.2"), 4500};
  spec.spi_in = Spi(0x9001);
  spec.spi_out = Spi(0x9002);
  spec.peer_name = HostName("b");
  spec.label = LabelName("green");
  spec.revision = Revision(1);
  spec.peer_member = spec.peer_attested = true;
  spec.bytes_max = 10000;
  std::array<std::uint8_t, 36> const one{1}, two{2};
  a().events.clear();
  ASSERT_DONE(a().open(9, "green", spec, {Secret<36>(one), Secret<36>(two)}));
  auto send = [&](int packets) {  // nobody answers: b knows no such association
    run("ping -n -q -i 0.01 -W 1 -s 972 -c " + std::to_string(packets) + " 10.77.0.2",
        lab_->domain_ns("g1"));
  };
  send(7);
  EXPECT_TRUE(a().of<gate::RekeyWanted>().empty());
  send(2);
  EXPECT_TRUE(eventually([&] { return a().of<gate::RekeyWanted>().size() == 1; }));
  send(2);
  ASSERT_TRUE(eventually([&] { return !a().of<gate::AssociationEnded>().empty(); }));
  EXPECT_EQ(a().of<gate::AssociationEnded>()[0].reason,
            static_cast<std::uint32_t>(gate::CloseReason::expired));
}

TEST_F(GateTest, a_packet_too_big_for_the_tunnel_is_answered_and_tcp_adapts) {
  ASSERT_DONE(lab_->domain(a(), 2, "big1", "green", "10.77.0.11", 9000));
  ASSERT_DONE(lab_->domain(b(), 2, "big2", "green", "10.77.0.12", 9000));
  Ran const ran = run("ping -n -W 1 -c 1 -M do -s 3000 10.77.0.12", lab_->domain_ns("big1"));
  EXPECT_THAT(ran.output, ::testing::HasSubstr("mtu = 1438"));
  Process server = start("socat -u TCP-LISTEN:9000,reuseaddr OPEN:" + lab_->directory + "/r,creat",
                         lab_->domain_ns("big2"));
  ASSERT_TRUE(eventually([&] {
    return run("ss -ltn", lab_->domain_ns("big2")).output.find(":9000") != std::string::npos;
  }));
  ASSERT_TRUE(run("sh -c 'head -c 1000000 /dev/zero | socat -u - TCP:10.77.0.12:9000'",
                  lab_->domain_ns("big1"))
                  .ok());
  EXPECT_TRUE(
      eventually([&] { return run("wc -c < " + lab_->directory + "/r").output == "1000000\n"; }));
}

TEST_F(GateTest, a_hypervisors_socket_port_speaks_arp_and_ipv4_with_a_domain) {
  constexpr MacAddress kMac{{2, 0, 0, 0, 0, 9}};
  for (int type : {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM}) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd const vm(ends[1]);
    bool const stream = type == SOCK_STREAM;
    auto const kind = stream ? gate::PortKind::stream : gate::PortKind::datagram;
    auto const port = static_cast<std::uint32_t>(10 + type);
    std::string const address = "10.77.1." + std::to_string(type);
    ASSERT_DONE(a().attach_socket(port, "q" + std::to_string(type), "green", address, kMac, kind,
                                  UniqueFd(ends[0])));
    ASSERT_DONE(b().route(address, "q" + std::to_string(type), "green", "a"));
    auto exchange = [&](Bytes frame) {
      if (stream) frame.insert(frame.begin(), {0, 0, 0, static_cast<std::uint8_t>(frame.size())});
      EXPECT_EQ(::send(vm.get(), frame.data(), frame.size(), 0),
                static_cast<ssize_t>(frame.size()));
      Bytes answer(2000);
      ssize_t got = -1;
      eventually([&] {
        got = ::recv(vm.get(), answer.data(), answer.size(), MSG_DONTWAIT);
        return got > 0;
      });
      answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      if (stream && answer.size() > 4) answer.erase(answer.begin(), answer.begin() + 4);
      return answer;
    };
    Ipv4 const source = *parse_ipv4(address), target = *parse_ipv4("10.77.0.2");
    constexpr MacAddress kEveryone{{255, 255, 255, 255, 255, 255}};
    ArpReply arp = make_arp_reply({kEveryone, target, source}, kMac);
    arp[7] = 1;  // a request
    auto const arp_header = make_ethernet_header(kEveryone, kMac, kEtherTypeArp);
    Bytes request(arp_header.begin(), arp_header.end());
    append(request, arp);
    Bytes const reply = exchange(request);
    ASSERT_EQ(reply.size(), request.size());
    EXPECT_EQ(get_u16be(&reply[20]), 2u);
    EXPECT_EQ(Ipv4{get_u32be(&reply[28])}, target);

    Bytes const echo = test::make_packet(
        {.protocol = kProtocolIcmp, .payload_bytes = 56, .source = source, .destination = target});
    auto const header =
        make_ethernet_header(MacAddress{{2, 0x53, 0x48, 0x41, 0x4d, 0x4e}}, kMac, kEtherTypeIpv4);
    Bytes frame(header.begin(), header.end());
    append(frame, echo);
    Bytes const answer = exchange(frame);
    ASSERT_EQ(answer.size(), frame.size());
    EXPECT_EQ(answer[34], 0) << "echo reply";
    EXPECT_EQ(Ipv4{get_u32be(&answer[26])}, target);
  }
}

TEST_F(GateTest, a_port_whose_vm_ends_is_reported_and_its_address_is_free_again) {
  for (int round = 0; round < 2; ++round) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_DONE(a().attach_socket(7, "q", "green", "10.77.1.7", MacAddress{{2, 0, 0, 0, 0, 9}},
                                  gate::PortKind::stream, UniqueFd(ends[0])));
    ::close(ends[1]);
    ASSERT_TRUE(eventually(
        [&] { return a().of<gate::PortFault>().size() == static_cast<std::size_t>(round) + 1; }));
    EXPECT_EQ(a().of<gate::PortFault>()[0].port, 7u);
  }
}

TEST_F(GateTest, a_taps_queues_beyond_the_workers_get_no_packets) {
  a().workers = 4;  // of the TAP; the gate has one
  ASSERT_DONE(lab_->lone_domain(a(), 9, "g9", "green", "10.77.0.9"));
  // Each ping is a flow of its own, and most would wait in a queue that nobody reads.
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(ping("g9", "10.77.0.1")) << i;
}

TEST_F(GateTest, a_running_gate_has_no_rights_left) {
  std::string const file = "/proc/" + std::to_string(a().gate_pid()) + "/status";
  std::string const status = run("cat " + file).output;
  for (char const* line : {"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000",
                           "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"}) {
    EXPECT_THAT(status, ::testing::HasSubstr(line));
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_THAT(status, ::testing::HasSubstr("Seccomp:\t2"));
#endif
}

TEST_F(GateTest, a_gate_runs_as_another_user) {
  a().kill_gate(SIGTERM);
  a().start_gate("--user 65534 --group 65534");
  std::string const file = "/proc/" + std::to_string(a().gate_pid()) + "/status";
  EXPECT_THAT(run("cat " + file).output, ::testing::HasSubstr("Uid:\t65534\t65534\t65534\t65534"));
  a().connect();
  ASSERT_DONE(a().lease(60));
}

}  // namespace
}  // namespace shamon::netns
