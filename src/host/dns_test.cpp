#include "host/dns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/encoding.hpp"
#include "base/ipv4_text.hpp"

namespace shamon {
namespace {

constexpr std::uint16_t kA = 1, kSoa = 6, kPtr = 12, kMx = 15, kAaaa = 28, kAny = 255;

Bytes make_query(std::string_view name, std::uint16_t type, std::uint16_t flags = 0x0100) {
  ByteWriter out;
  out.u16be(0xbeef).u16be(flags).u16be(1).u16be(0).u16be(0).u16be(0);
  Bytes const root{0};
  out.bytes(name == "." ? root : encode_dns_name(name).value()).u16be(type).u16be(1);
  return std::move(out).take();
}

DnsZone make_zone() {
  DnsZone zone;
  zone.domain = "vm.test.internal";
  zone.network = Ipv4{0x0a4d0001};
  static std::vector<NamedVm> const kVms = {
      {VmName("web"), {0x0a4d0002}, {{2, 0x53, 10, 77, 0, 2}}},
      {VmName("Db.Main"), {0x0a4e0003}, {{2, 0x53, 10, 78, 0, 3}}}};
  auto const first = [](auto const& matches) -> std::optional<NamedVm> {
    for (NamedVm const& vm : kVms) {
      if (matches(vm)) return vm;
    }
    return std::nullopt;
  };
  zone.find = [first](std::string_view name) {
    return first([&](NamedVm const& vm) { return to_dns_case(vm.name.value()) == name; });
  };
  zone.find_address = [first](Ipv4 address) {
    return first([&](NamedVm const& vm) { return vm.address == address; });
  };
  return zone;
}

struct Read {
  unsigned code = 99;
  unsigned answers = 99;
  bool authoritative = false, recursion = true, extended = false;
  std::uint16_t type = 0;
  Bytes data;
};
Read read(Bytes const& query, std::optional<Bytes> const& answer) {
  Read out;
  if (!answer) return out;
  Cursor in(*answer);
  EXPECT_EQ(in.u16be(), 0xbeef);
  std::uint16_t const flags = in.u16be();
  EXPECT_NE(flags & 0x8000, 0) << "an answer";
  out.code = flags & 15;
  out.authoritative = (flags & 0x0400) != 0;
  out.recursion = (flags & 0x0080) != 0;
  std::uint16_t const questions = in.u16be();
  out.answers = in.u16be();
  EXPECT_EQ(in.u16be(), 0);
  out.extended = in.u16be() == 1;
  if (questions == 1) {
    // The answer begins with the question as it was asked.
    Cursor asked(query);
    asked.take(12);
    std::size_t bytes = 0;
    while (std::uint8_t const size = asked.u8()) {
      asked.take(size);
      bytes += size + 1u;
    }
    ByteView const repeated = in.take(bytes + 5);
    EXPECT_TRUE(std::equal(repeated.begin(), repeated.end(), query.begin() + 12));
  }
  if (out.answers == 1) {
    EXPECT_EQ(in.u16be(), 0xc00c);
    out.type = in.u16be();
    EXPECT_EQ(in.u16be(), 1);
    EXPECT_EQ(in.u32be(), kDnsTtlSeconds);
    out.data = to_bytes(in.take(in.u16be()));
  }
  if (out.extended) in.take(11);
  EXPECT_TRUE(in.ok() && in.at_end());
  return out;
}

TEST(Dns, answers_what_is_known_and_refuses_what_is_not_its_own) {
  struct Row {
    char const* name;
    std::uint16_t type;
    unsigned code;
    char const* data;  ///< in hex; empty: no record
  };
  constexpr Row kRows[] = {
      {"web.vm.test.internal", kA, 0, "0a4d0002"},
      {"WEB.vm.Test.INTERNAL", kA, 0, "0a4d0002"},
      {"db.main.vm.test.internal", kA, 0, "0a4e0003"},
      {"web.vm.test.internal", kAaaa, 0, "fd5348410a4d000200530afffe4d0002"},
      {"web.vm.test.internal", kAny, 0, "0a4d0002"},
      {"web.vm.test.internal", kMx, 0, ""},
      {"vm.test.internal", kSoa, 0, ""},
      {"red.vm.test.internal", kA, 3, ""},
      {"red.vm.test.internal", kMx, 3, ""},
      {"x.web.vm.test.internal", kA, 3, ""},
      {"xvm.test.internal", kA, 5, ""},
      {"test.internal", kA, 5, ""},
      {"web", kA, 5, ""},
      {"example.org", kA, 5, ""},
      {".", kA, 5, ""},
      {"2.0.77.10.in-addr.arpa", kPtr, 0, "0377656202766d047465737408696e7465726e616c00"},
      {"2.0.77.10.in-addr.arpa", kA, 0, ""},
      {"3.0.78.10.in-addr.arpa", kPtr, 0, "024462044d61696e"},
      {"9.0.77.10.in-addr.arpa", kPtr, 3, ""},
      {"9.0.78.10.in-addr.arpa", kPtr, 5, ""},
      {"1.0.0.127.in-addr.arpa", kPtr, 5, ""},
      {"02.0.77.10.in-addr.arpa", kPtr, 5, ""},
      {"256.0.77.10.in-addr.arpa", kPtr, 5, ""},
      {"77.10.in-addr.arpa", kPtr, 5, ""},
      {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.d.4.a.0.1.4.8.4.3.5.d.f.ip6.arpa", kPtr, 0,
       "0377656202766d"},
      {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.d.4.a.0.1.4.8.4.3.5.d.f.ip6.arpa", kPtr, 3, ""},
      {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.d.4.a.0.2.4.8.4.3.5.d.f.ip6.arpa", kPtr, 5, ""},
  };
  for (Row const& row : kRows) {
    Bytes const query = make_query(row.name, row.type);
    Read const got = read(query, answer_dns(query, make_zone()));
    std::string const wanted = row.data;
    EXPECT_EQ(got.code, row.code) << row.name << " " << row.type;
    EXPECT_EQ(got.answers, wanted.empty() ? 0u : 1u) << row.name << " " << row.type;
    EXPECT_EQ(to_hex(got.data).substr(0, wanted.size()), wanted) << row.name;
    EXPECT_EQ(got.authoritative, row.code != 5) << row.name;
    EXPECT_FALSE(got.recursion);
  }
}

TEST(Dns, tells_what_is_wrong_with_a_query_or_says_nothing) {
  auto const code = [](Bytes const& query) {
    auto const answer = answer_dns(query, make_zone());
    return answer ? static_cast<int>((*answer)[3] & 15) : -1;
  };
  Bytes const good = make_query("web.vm.test.internal", kA);
  auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes changed = good;
    changed[at] = value;
    return code(changed);
  };
  EXPECT_EQ(code(good), 0);
  EXPECT_EQ(with(2, 0x80), -1) << "an answer is not answered";
  EXPECT_EQ(with(2, 0x10), 4) << "another operation";
  EXPECT_EQ(with(5, 0), 1) << "no question";
  EXPECT_EQ(with(5, 2), 1) << "two questions";
  EXPECT_EQ(with(7, 1), 1) << "an answer in a question";
  EXPECT_EQ(with(11, 1), 1) << "an additional record that is not there";
  EXPECT_EQ(with(12, 0xc0), 1) << "a pointer";
  EXPECT_EQ(with(12, 64), 1) << "a label of 64 bytes";
  EXPECT_EQ(with(good.size() - 1, 3), 5) << "class CHAOS";
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(code(Bytes(good.begin(), good.begin() + size)), size < 12 ? -1 : 1) << size;
  }
  Bytes dotted = good;
  dotted[12] = 6;  // "web", 2, "vm" as one label
  dotted[16] = '.';
  EXPECT_EQ(code(dotted), 5) << "a dot inside a label parts nothing";
}

TEST(Dns, answers_edns_in_its_version_only) {
  auto const with_opt = [](std::uint32_t ttl, std::size_t times = 1) {
    Bytes query = make_query("web.vm.test.internal", kA);
    query[11] = static_cast<std::uint8_t>(times);
    ByteWriter more;
    for (std::size_t i = 0; i < times; ++i) {
      // With a cookie, which is ignored.
      more.u8(0).u16be(41).u16be(4096).u32be(ttl).u16be(12).u16be(10).u16be(8).u64be(1);
    }
    append(query, more.view());
    return query;
  };
  Bytes const query = with_opt(0x00008000);
  Read const got = read(query, answer_dns(query, make_zone()));
  EXPECT_EQ(got.code, 0u);
  EXPECT_TRUE(got.extended);
  EXPECT_EQ(to_hex(got.data), "0a4d0002");
  auto const newer = answer_dns(with_opt(0x00010000), make_zone());
  ASSERT_TRUE(newer.has_value());
  EXPECT_EQ((*newer)[3] & 15, 0);
  EXPECT_EQ((*newer)[newer->size() - 6], 1) << "BADVERS: 16, the upper bits in the OPT record";
  auto const twice = answer_dns(with_opt(0, 2), make_zone());
  ASSERT_TRUE(twice.has_value());
  EXPECT_EQ((*twice)[3] & 15, 1);
}

TEST(Dns, a_coalition_whose_name_cannot_stand_in_dns_has_no_names) {
  EXPECT_EQ(dns_domain(CoalitionName("Test-1")), "vm.test-1.internal");
  EXPECT_EQ(dns_domain(CoalitionName("a.b")), "vm.a.b.internal");
  EXPECT_EQ(dns_domain(CoalitionName("a..b")), "");
  DnsZone zone = make_zone();
  zone.domain.clear();
  auto const answer = answer_dns(make_query("web", kA), zone);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer)[3] & 15, 5);
}

}  // namespace
}  // namespace shamon
