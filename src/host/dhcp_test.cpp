#include "host/dhcp.hpp"

#include <map>

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/encoding.hpp"
#include "host/dns.hpp"
#include "host/router_advertisement.hpp"

namespace shamon {
namespace {

constexpr char kDomain[] = "vm.test.internal";

ServedVm make_vm() {
  return {VmName("web"), LabelName("green"), {0x0a4d0002}, 16, {{2, 0x53, 10, 77, 0, 2}}, 1420};
}

struct Request {
  std::uint8_t kind = 1;
  std::uint32_t client = 0, wanted = 0, server = 0, relay = 0;
  std::uint16_t flags = 0;
  std::uint8_t mac_end = 2;
};
Bytes make_request(Request const& r) {
  ByteWriter out;
  out.u8(1).u8(1).u8(6).u8(0).u32be(0x11223344).u16be(3).u16be(r.flags).u32be(r.client);
  out.u32be(0).u32be(0).u32be(r.relay);
  out.u8(2).u8(0x53).u8(10).u8(77).u8(0).u8(r.mac_end).bytes(Bytes(10 + 64 + 128));
  out.u32be(0x63825363).u8(53).u8(1).u8(r.kind).u8(0);
  if (r.wanted != 0) out.u8(50).u8(4).u32be(r.wanted);
  if (r.server != 0) out.u8(54).u8(4).u32be(r.server);
  out.u8(55).u8(3).u8(1).u8(3).u8(6).u8(255);
  return std::move(out).take();
}

struct Answer {
  std::uint32_t to = 0, yours = 0;
  std::map<int, std::string> options;  ///< in hex
};
std::optional<Answer> ask(Request const& request, ServedVm const& vm = make_vm()) {
  auto const answer = answer_dhcp(make_request(request), vm, kDomain);
  if (!answer) return std::nullopt;
  EXPECT_GE(answer->message.size(), 300u);
  EXPECT_LE(answer->message.size(), 548u) << "what every client takes, RFC 2131 §2";
  Answer out;
  out.to = answer->to.bits;
  Cursor in(answer->message);
  EXPECT_EQ(in.u32be(), 0x02010600u);
  EXPECT_EQ(in.u32be(), 0x11223344u);
  in.take(2);
  EXPECT_EQ(in.u16be(), request.flags);
  in.take(4);
  out.yours = in.u32be();
  in.take(8);
  EXPECT_EQ(to_hex(in.take(6)), "02530a4d0002");
  in.take(10 + 64 + 128);
  EXPECT_EQ(in.u32be(), 0x63825363u);
  for (std::uint8_t code = in.u8(); code != 255 && in.ok(); code = in.u8()) {
    EXPECT_TRUE(out.options.emplace(code, to_hex(in.take(in.u8()))).second) << int{code};
  }
  EXPECT_TRUE(in.ok());
  return out;
}

TEST(Dhcp, offers_and_grants_the_one_address_with_all_that_goes_with_it) {
  for (std::uint8_t kind : {std::uint8_t{1}, std::uint8_t{3}}) {
    auto const got = ask({.kind = kind, .wanted = kind == 3 ? 0x0a4d0002u : 0u});
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->yours, 0x0a4d0002u);
    EXPECT_EQ(got->to, 0x0a4d0002u);
    std::map<int, std::string> const expected = {
        {53, kind == 1 ? "02" : "05"},
        {54, "a9fe3501"},
        {51, "00000e10"},
        {1, "ffff0000"},
        {3, "0a4dfffe"},
        {6, "a9fe3501"},
        {12, "776562"},
        {15, to_hex(as_bytes(kDomain))},
        {26, "058c"},
        {119, "02766d047465737408696e7465726e616c00"},
        {121, "20a9fe350100000000000a4dfffe"},
    };
    EXPECT_EQ(got->options, expected);
  }
}

TEST(Dhcp, answers_by_what_is_asked) {
  constexpr std::uint32_t kOwn = 0x0a4d0002, kOther = 0x0a4d0003, kUs = 0xa9fe3501;
  struct Row {
    char const* name;
    Request request;
    int kind;  ///< 0: no answer
    std::uint32_t to;
  };
  Row const kRows[] = {
      {"selecting us", {.kind = 3, .wanted = kOwn, .server = kUs}, 5, kOwn},
      {"selecting another", {.kind = 3, .wanted = kOwn, .server = 0x0a4d0001}, 0, 0},
      {"another address", {.kind = 3, .wanted = kOther}, 6, ~0u},
      {"no address", {.kind = 3}, 6, ~0u},
      {"renewing", {.kind = 3, .client = kOwn}, 5, kOwn},
      {"renewing another", {.kind = 3, .client = kOther}, 6, ~0u},
      {"asking ours, having another", {.kind = 3, .client = kOther, .wanted = kOwn}, 6, ~0u},
      {"to everybody", {.kind = 1, .flags = 0x8000}, 2, ~0u},
      {"to everybody, but with an address", {.kind = 3, .client = kOwn, .flags = 0x8000}, 5, kOwn},
      {"inform", {.kind = 8, .client = kOwn}, 5, kOwn},
      {"inform of another", {.kind = 8, .client = kOther}, 0, 0},
      {"decline", {.kind = 4, .wanted = kOwn}, 0, 0},
      {"release", {.kind = 7, .client = kOwn}, 0, 0},
      {"an offer", {.kind = 2}, 0, 0},
      {"no kind", {.kind = 0}, 0, 0},
      {"through a relay", {.kind = 1, .relay = 0x0a4d0009}, 0, 0},
      {"for another machine", {.kind = 1, .mac_end = 3}, 0, 0},
  };
  for (Row const& row : kRows) {
    auto const got = ask(row.request);
    ASSERT_EQ(got.has_value(), row.kind != 0) << row.name;
    if (!got) continue;
    EXPECT_EQ(got->options.at(53), "0" + std::to_string(row.kind)) << row.name;
    EXPECT_EQ(got->to, row.to) << row.name;
    bool const granted = row.kind != 6 && row.request.kind != 8;
    EXPECT_EQ(got->yours, granted ? kOwn : 0u) << row.name;
    EXPECT_EQ(got->options.contains(51), granted) << row.name;
    EXPECT_EQ(got->options.contains(6), row.kind != 6) << row.name;
  }
}

TEST(Dhcp, the_longest_names_fit_what_every_client_takes) {
  ServedVm vm = make_vm();
  vm.name = VmName(std::string(63, 'n'));
  std::string const domain = dns_domain(CoalitionName(std::string(63, 'c')));
  auto const answer = answer_dhcp(make_request({}), vm, domain);
  ASSERT_TRUE(answer.has_value());
  EXPECT_LE(answer->message.size(), 548u);
}

TEST(Dhcp, a_message_that_ends_early_has_no_answer) {
  Bytes const whole = make_request({.kind = 3, .wanted = 0x0a4d0002});
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    auto const answer = answer_dhcp(ByteView(whole).first(size), make_vm(), kDomain);
    // Between two options nothing tells that more was to come.
    EXPECT_TRUE(!answer || size >= 240u + 3) << size;
  }
  Bytes no_cookie = whole;
  no_cookie[236] ^= 1;
  EXPECT_FALSE(answer_dhcp(no_cookie, make_vm(), kDomain).has_value());
}

TEST(Dhcp, the_router_is_never_the_vm_itself) {
  ServedVm vm = make_vm();
  EXPECT_EQ(router_of(vm).bits, 0x0a4dfffeu);
  vm.address = {0x0a4dfffe};
  EXPECT_EQ(router_of(vm).bits, 0x0a4dfffdu);
  vm.prefix_length = 30;
  EXPECT_EQ(router_of(vm).bits, 0x0a4dfffdu);
  for (std::uint8_t length : {std::uint8_t{31}, std::uint8_t{32}}) {
    vm.prefix_length = length;
    EXPECT_EQ(router_of(vm).bits, 0xa9fe3501u);
  }
}

TEST(DhcpV6, tells_the_name_server_to_who_asks_for_no_address) {
  Bytes const duid = from_hex("00030001025348414d4e").value();
  auto const ask6 = [](std::uint8_t kind, std::string const& options) {
    Bytes message = {kind, 1, 2, 3};
    append(message, from_hex(options).value());
    return answer_dhcpv6(message, kDomain);
  };
  std::string const client = "0001000a00030001025300000002", oro = "0006000400170018";
  auto const got = ask6(11, client + oro);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(to_hex(*got), "07010203" + client + "0002000a" + to_hex(duid) +
                              "00170010fe800000000000000000000000000053" +
                              "0018001202766d047465737408696e7465726e616c00" + "0020000400000e10");
  EXPECT_TRUE(ask6(11, "").has_value()) << "a client may stay unnamed, RFC 8415 §18.2.6";
  EXPECT_TRUE(ask6(11, "0002000a" + to_hex(duid)).has_value());
  EXPECT_FALSE(ask6(11, "0002000a00030001025348414d4f").has_value()) << "another server";
  EXPECT_FALSE(ask6(11, "0003000c000000010000000000000000").has_value()) << "with an address";
  EXPECT_FALSE(ask6(1, client).has_value()) << "SOLICIT";
  EXPECT_FALSE(ask6(11, "00010083" + std::string(262, '0')).has_value()) << "a name of 131 bytes";
  EXPECT_FALSE(ask6(11, "0001000a0003").has_value()) << "cut off";
}

TEST(RouterAdvertisement, says_what_the_vm_may_call_itself) {
  EXPECT_EQ(to_hex(make_router_advertisement(make_vm(), kDomain)),
            "86000000"
            "404007080000000000000000"
            "0101025348414d4e"
            "050100000000058c"
            "030440c0ffffffffffffffff00000000fd5348410a4d00020000000000000000"
            "1903000000000708fe800000000000000000000000000053"
            "1f0400000000070802766d047465737408696e7465726e616c00000000000000");
}

TEST(RouterAdvertisement, is_asked_for_by_a_solicitation_with_whole_options) {
  struct Row {
    char const* message;
    bool asks;
  };
  constexpr Row kRows[] = {
      {"8500000000000000", true},
      {"85000000000000000101025300000002", true},
      {"85000000000000000100025300000002", false},  // an option without a size
      {"85000000000000000102025300000002", false},
      {"8501000000000000", false},
      {"8600000000000000", false},
      {"85000000000000", false},
      {"", false},
  };
  for (Row const& row : kRows) {
    EXPECT_EQ(is_router_solicitation(from_hex(row.message).value()), row.asks) << row.message;
  }
}

}  // namespace
}  // namespace shamon
