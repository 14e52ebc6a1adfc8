#include "host/vm_services.hpp"

#include <cstring>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/byte_writer.hpp"
#include "base/encoding.hpp"
#include "policy/source.hpp"
#include "tunnel/checksum.hpp"
#include "tunnel/forwarder.hpp"

namespace shamon {
namespace {

constexpr MacAddress kMac{{2, 0x53, 10, 77, 0, 1}};
constexpr Ipv4 kOwn{0x0a4d0001};

ServedVm make_vm() {
  return {VmName("g1"), LabelName("green"), kOwn, 16, kMac, 1420};
}

IpAddress link_local_of(MacAddress const& mac) {
  IpAddress address = slaac_address(kOwn, mac);
  std::fill_n(address.bytes.begin(), 8, std::uint8_t{0});
  address.bytes[0] = 0xfe;
  address.bytes[1] = 0x80;
  return address;
}

/// As the VM sends it: what the services make, from the VM's address.
Bytes from_vm(Bytes frame) {
  std::copy(kMac.octets.begin(), kMac.octets.end(), frame.begin() + 6);
  return frame;
}

Bytes make_dns_query(std::string const& name) {
  ByteWriter out;
  out.u16be(7).u16be(0x0100).u16be(1).u16be(0).u32be(0);
  out.bytes(encode_dns_name(name).value()).u16be(1).u16be(1);
  return std::move(out).take();
}

Bytes dns_frame(std::string const& name, IpAddress const& from, IpAddress const& to) {
  return from_vm(make_udp_frame(kGateMac, from, 40000, to, 53, make_dns_query(name)));
}

/// green may reach green and, on one service, blue; red may reach green.
class VmServicesTest : public ::testing::Test {
 protected:
  VmServicesTest() {
    auto built = build_policy("test.policy",
                              "coalition Test revision 1\n"
                              "type green_t red_t blue_t\n"
                              "label green { share green_t }\n"
                              "label red { share red_t }\n"
                              "label blue { share blue_t }\n"
                              "allow green -> blue udp/9000\n"
                              "allow red -> green\n");
    EXPECT_TRUE(built.has_value());
    policy_ = std::move(built->compiled);
    known_ = {{VmName("g1"), LabelName("green"), kOwn, kMac},
              {VmName("g2"), LabelName("green"), {0x0a4d0002}, {{2, 0x53, 10, 77, 0, 2}}},
              {VmName("r1"), LabelName("red"), {0x0a4d0003}, {}},
              {VmName("b1"), LabelName("blue"), {0x0a4d0004}, {}},
              {VmName("n1"), LabelName("nobody"), {0x0a4d0005}, {}}};
    source_.policy = [this]() -> CompiledPolicy const& { return policy_; };
    source_.for_each_known = [this](auto const& visit) {
      for (Known const& vm : known_) visit(vm.name, vm.label, vm.address, vm.mac);
    };
    source_.served = [](PortId port) {
      return port == PortId(4) ? std::optional<ServedVm>(make_vm()) : std::nullopt;
    };
    source_.ports = [] { return std::vector<PortId>{PortId(4)}; };
  }

  std::optional<Bytes> answer(Bytes const& frame) {
    return answer_vm_frame(frame, make_vm(), make_dns_zone(make_vm(), source_));
  }
  /// The code of the answer to a question for a name; -1: none.
  int code_of(std::string const& name) {
    auto const got = answer(dns_frame(name, kOwn, service_ipv4()));
    return got ? (*got)[14 + 20 + 8 + 3] & 15 : -1;
  }

  CompiledPolicy policy_;
  struct Known {
    VmName name;
    LabelName label;
    Ipv4 address;
    MacAddress mac;
  };
  std::vector<Known> known_;
  VmServicesSource source_;
};

TEST_F(VmServicesTest, a_name_that_may_not_be_reached_does_not_exist) {
  EXPECT_EQ(code_of("g1.vm.test.internal"), 0) << "itself";
  EXPECT_EQ(code_of("g2.vm.test.internal"), 0);
  EXPECT_EQ(code_of("b1.vm.test.internal"), 0) << "one service is enough";
  EXPECT_EQ(code_of("r1.vm.test.internal"), 3) << "red may reach green, but not green red";
  EXPECT_EQ(code_of("n1.vm.test.internal"), 3) << "a label this policy does not have";
  EXPECT_EQ(code_of("none.vm.test.internal"), 3);
  EXPECT_EQ(code_of("g2.vm.other.internal"), 5);
  auto const forbidden = answer(dns_frame("r1.vm.test.internal", kOwn, service_ipv4()));
  auto const missing = answer(dns_frame("r9.vm.test.internal", kOwn, service_ipv4()));
  ASSERT_TRUE(forbidden && missing);
  ASSERT_EQ(forbidden->size(), missing->size());
  Bytes renamed = *missing;
  renamed[14 + 20 + 8 + 12 + 2] = '1';
  std::memcpy(&renamed[14 + 20 + 6], &(*forbidden)[14 + 20 + 6], 2);  // the checksum
  EXPECT_EQ(renamed, *forbidden) << "nothing tells the two apart";
}

TEST_F(VmServicesTest, a_vm_whose_own_label_is_gone_still_knows_itself_and_nobody_else) {
  policy_ = CompiledPolicy();
  source_.policy = [this, other = std::make_shared<CompiledPolicy>(std::move(
                              build_policy("t",
                                           "coalition test revision 2\ntype x_t\n"
                                           "label x { share x_t }\n")
                                  ->compiled))]() -> CompiledPolicy const& { return *other; };
  EXPECT_EQ(code_of("g1.vm.test.internal"), 0);
  EXPECT_EQ(code_of("g2.vm.test.internal"), 3);
}

TEST_F(VmServicesTest, names_that_differ_by_case_only_name_nobody) {
  known_.push_back({VmName("G2"), LabelName("green"), {0x0a4d0007}, {}});
  EXPECT_EQ(code_of("g2.vm.test.internal"), 3);
  known_.back().label = LabelName("red");
  EXPECT_EQ(code_of("g2.vm.test.internal"), 0) << "one that nobody sees changes nothing";
}

TEST_F(VmServicesTest, an_answer_is_a_frame_from_the_gate_with_right_checksums) {
  struct Row {
    char const* name;
    IpAddress from, to;
    bool answered;
  };
  IpAddress foreign = vm_prefix({0x0a4d0002});
  foreign.bytes[15] = 1;
  Row const kRows[] = {
      {"IPv4", kOwn, service_ipv4(), true},
      {"IPv6 from the link", link_local_of(kMac), service_ipv6(), true},
      {"IPv6 from its prefix", slaac_address(kOwn, kMac), service_ipv6(), true},
      {"from another's address", Ipv4{0x0a4d0002}, service_ipv4(), false},
      {"from another's prefix", foreign, service_ipv6(), false},
      {"to another server", kOwn, Ipv4{0x0a4d0002}, false},
  };
  for (Row const& row : kRows) {
    Bytes const frame = dns_frame("g2.vm.test.internal", row.from, row.to);
    auto const got = answer(frame);
    ASSERT_EQ(got.has_value(), row.answered) << row.name;
    if (!got) continue;
    EXPECT_TRUE(std::equal(kMac.octets.begin(), kMac.octets.end(), got->begin()));
    EXPECT_TRUE(std::equal(kGateMac.octets.begin(), kGateMac.octets.end(), got->begin() + 6));
    auto const read = parse_vm_question(*got);
    ASSERT_TRUE(read.has_value()) << row.name;
    EXPECT_EQ(read->source, row.to);
    EXPECT_EQ(read->destination, row.from);
    EXPECT_EQ(read->source_port, 53);
    EXPECT_EQ(read->destination_port, 40000);
    ByteView const packet = ByteView(*got).subspan(14);
    ByteView const udp = packet.subspan(row.to.is_ipv4() ? 20 : 40);
    EXPECT_EQ(checksum_fold(checksum_add(checksum_pseudo_header(packet.data(), udp.size()), udp)),
              0xffff)
        << row.name;
  }
}

TEST_F(VmServicesTest, a_solicitation_is_answered_to_who_asked_or_to_all) {
  IpAddress const link = link_local_of(kMac);
  IpAddress const nobody{std::array<std::uint8_t, 16>{}};
  IpAddress routers = nobody;
  routers.bytes[0] = 0xff;
  routers.bytes[1] = routers.bytes[15] = 2;
  Bytes const message = from_hex("8500000000000000").value();
  for (IpAddress const& from : {link, nobody}) {
    Bytes const frame = from_vm(make_icmp6_frame(kGateMac, from, routers, message));
    auto const got = answer(frame);
    ASSERT_TRUE(got.has_value());
    auto const read = parse_vm_question(*got);
    ASSERT_TRUE(read.has_value()) << "with a checksum that holds";
    EXPECT_EQ(read->source, service_ipv6());
    EXPECT_EQ(read->message[0], 134);
    EXPECT_EQ((*got)[14 + 7], 255) << "hops, RFC 4861 §6.1.2";
    EXPECT_EQ(read->destination == link, from == link);
    EXPECT_EQ((*got)[0], from == link ? 2 : 0x33);
    Bytes damaged = frame;
    damaged.back() ^= 1;
    EXPECT_FALSE(answer(damaged).has_value()) << "its checksum does not hold";
  }
}

TEST_F(VmServicesTest, what_is_no_question_has_no_answer) {
  Bytes const good = dns_frame("g2.vm.test.internal", kOwn, service_ipv4());
  ASSERT_TRUE(answer(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(answer(Bytes(good.begin(), good.begin() + size)).has_value()) << size;
  }
  struct Row {
    char const* name;
    std::size_t at;
    std::uint8_t value;
  };
  constexpr Row kRows[] = {
      {"another sender", 11, 9},
      {"another EtherType", 13, 6},
      {"IPv4 options", 14, 0x46},
      {"a fragment", 20, 0x20},
      {"TCP", 23, 6},
      {"another checksum", 24, 0},
      {"another UDP size", 39, 20},
      {"another port", 37, 54},
  };
  for (Row const& row : kRows) {
    Bytes changed = good;
    changed[row.at] = row.value;
    EXPECT_FALSE(answer(changed).has_value()) << row.name;
  }
}

TEST_F(VmServicesTest, questions_come_by_the_gates_socket_and_answers_go_back) {
  EventLoop loop;
  VmServices services(loop, source_);
  auto gate = services.open();
  ASSERT_TRUE(gate.has_value());
  auto const send = [&](std::uint32_t port, Bytes const& frame) {
    Bytes datagram(sizeof port);
    std::memcpy(datagram.data(), &port, sizeof port);
    append(datagram, frame);
    return ::send(gate->get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0;
  };
  Bytes got;
  auto const receive = [&](Duration limit) {
    return loop.run_until(
        [&] {
          got.resize(2048);
          ssize_t const size = ::recv(gate->get(), got.data(), got.size(), MSG_DONTWAIT);
          got.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
          return size > 0;
        },
        limit);
  };
  Bytes const question = dns_frame("g2.vm.test.internal", kOwn, service_ipv4());
  ASSERT_TRUE(send(9, question));           // a port nobody is at
  ASSERT_TRUE(send(4, Bytes{}));            // no frame
  ASSERT_TRUE(send(4, Bytes(1800, 0xff)));  // no question
  ASSERT_TRUE(send(4, question));
  ASSERT_TRUE(receive(std::chrono::milliseconds(900)));
  std::uint32_t port = 0;
  std::memcpy(&port, got.data(), sizeof port);
  EXPECT_EQ(port, 4u);
  EXPECT_EQ(Bytes(got.begin() + 4, got.end()), answer(question));
  ASSERT_TRUE(receive(std::chrono::seconds(3))) << "advertised without a question";
  EXPECT_EQ(Bytes(got.begin() + 4, got.end()),
            make_unasked_advertisement(make_vm(), "vm.test.internal"));
  // However many come at once, no more than so many are answered in a second.
  for (unsigned i = 0; i < 3 * kVmQuestionsPerSecond; ++i) ASSERT_TRUE(send(4, question)) << i;
  unsigned answers = 0;
  while (receive(std::chrono::milliseconds(200))) ++answers;
  EXPECT_GE(answers, kVmQuestionsPerSecond);
  EXPECT_LE(answers, 2 * kVmQuestionsPerSecond);
  loop.run_until([] { return false; }, std::chrono::milliseconds(1000));
  // A gate that comes anew gets a socket anew; the old one is at its end.
  auto next = services.open();
  ASSERT_TRUE(next.has_value());
  EXPECT_FALSE(send(4, question));
  gate = std::move(next);
  ASSERT_TRUE(send(4, question));
  EXPECT_TRUE(receive(std::chrono::milliseconds(900)));
  gate->reset();
  loop.run_until([] { return false; }, std::chrono::milliseconds(50));
}

}  // namespace
}  // namespace shamon
