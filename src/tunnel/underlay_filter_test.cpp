// The filter at work: on sockets of the loopback device, with the kernel's own datagrams.
#include "tunnel/underlay_filter.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ipv4_text.hpp"
#include "base/socket_address.hpp"
#include "tunnel/limits.hpp"
#include "tunnel/packet.hpp"

namespace shamon {
namespace {

constexpr std::size_t kShortest = 36;  // RFC 4303 with RFC 4106 around an empty packet

UniqueFd udp_socket(std::string const& address) {
  SocketAddress const bound({*parse_ip(address), 0});
  UniqueFd fd(::socket(bound.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_EQ(::bind(fd.get(), bound.get(), bound.size), 0) << address;
  return fd;
}

Endpoint endpoint_of(int fd) {
  SocketAddress address;
  EXPECT_EQ(::getsockname(fd, address.get(), &address.size), 0);
  return address.endpoint();
}

Bytes esp(std::uint32_t spi, std::size_t bytes = 100) {
  Bytes datagram(bytes, 0xee);
  put_u32be(datagram.data(), spi);
  return datagram;
}

AssociationSpec association(std::string const& peer, std::uint32_t spi, unsigned lanes = 1) {
  AssociationSpec spec;
  spec.peer = {*parse_ip(peer), 4500};
  spec.spi_in = Spi(spi);
  spec.lanes = lanes;
  return spec;
}

class UnderlayFilterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "programs in the kernel need root";
    Result<UnderlayFilter> made = UnderlayFilter::create();
    ASSERT_TRUE(made.has_value()) << made.error().describe();
    filter_ = *std::move(made);
    ASSERT_TRUE(filter_->check_usable().has_value());
    listen("127.0.0.1");
  }

  void listen(std::string const& address) {
    gate_ = udp_socket(address);
    int const on = 1;
    ASSERT_EQ(::setsockopt(gate_.get(), SOL_UDP, UDP_GRO, &on, sizeof on), 0);
    ASSERT_TRUE(filter_->attach(gate_.get()).has_value());
  }

  /// How many bytes of it arrived. With a segment size, it is sent as one run.
  std::size_t arrive(std::string const& from, Bytes const& payload, int segment_bytes = 0) {
    UniqueFd const sender = udp_socket(from);
    if (segment_bytes != 0) {
      EXPECT_EQ(
          ::setsockopt(sender.get(), SOL_UDP, UDP_SEGMENT, &segment_bytes, sizeof segment_bytes),
          0);
    }
    Endpoint to = endpoint_of(gate_.get());
    if (to.address == *parse_ip("::")) to.address = *parse_ip(from);  // any: it is this machine
    SocketAddress const address(to);
    EXPECT_EQ(
        ::sendto(sender.get(), payload.data(), payload.size(), 0, address.get(), address.size),
        static_cast<ssize_t>(payload.size()));
    // On the loopback device a datagram has arrived, or not, when sendto() returns.
    Bytes buffer(65536);
    std::size_t got = 0;
    for (ssize_t one; (one = ::recv(gate_.get(), buffer.data(), buffer.size(), 0)) >= 0;) {
      got += static_cast<std::size_t>(one);
    }
    return got;
  }
  bool passes(std::string const& from, std::uint32_t spi) {
    return arrive(from, esp(spi)) == esp(spi).size();
  }

  std::optional<UnderlayFilter> filter_;
  UniqueFd gate_;
};

TEST_F(UnderlayFilterTest, nothing_passes_while_no_association_is_open_and_all_is_counted) {
  EXPECT_FALSE(passes("127.0.0.1", 0x1000));
  EXPECT_FALSE(passes("127.0.0.1", 0));
  EXPECT_EQ(arrive("127.0.0.1", {0xff}), 0u);
  EXPECT_EQ(arrive("127.0.0.1", {}), 0u);
  EXPECT_EQ(arrive("127.0.0.1", Bytes(kShortest - 1, 1)), 0u);
  EXPECT_EQ(filter_->dropped().no_association, 2u);
  EXPECT_EQ(filter_->dropped().malformed, 3u);
}

TEST_F(UnderlayFilterTest, only_the_spi_of_an_association_from_its_own_peer_passes) {
  struct Row {
    char const* gate;
    char const* peer;
    char const* stranger;
  };
  constexpr Row kRows[] = {{"127.0.0.1", "127.0.0.2", "127.0.0.3"},
                           {"::", "127.0.0.2", "127.0.0.3"},
                           {"::1", "::1", ""}};
  for (Row const& row : kRows) {
    SCOPED_TRACE(std::string(row.gate) + " " + row.peer);
    listen(row.gate);
    AssociationSpec const spec = association(row.peer, 0x12345600);
    ASSERT_TRUE(filter_->admit(spec).has_value());
    EXPECT_TRUE(passes(row.peer, 0x12345600));
    EXPECT_EQ(arrive(row.peer, esp(0x12345600, kShortest)), kShortest);
    EXPECT_FALSE(passes(row.peer, 0x12345601));
    EXPECT_FALSE(passes(row.peer, 0x00563412)) << "in the other byte order";
    if (*row.stranger != 0) {
      EXPECT_FALSE(passes(row.stranger, 0x12345600));
    }
    filter_->refuse(spec);
    EXPECT_FALSE(passes(row.peer, 0x12345600)) << "after the end of the association";
  }
  // The addresses differ in the last byte only, and the SPI is another peer's.
  listen("::1");
  ASSERT_TRUE(filter_->admit(association("::2", 0x2000)).has_value());
  ASSERT_TRUE(filter_->admit(association("::1", 0x3000)).has_value());
  EXPECT_FALSE(passes("::1", 0x2000));
  EXPECT_TRUE(passes("::1", 0x3000));
}

TEST_F(UnderlayFilterTest, every_lane_passes_and_none_beside_them) {
  AssociationSpec const spec = association("127.0.0.1", 0x4000, 3);
  ASSERT_TRUE(filter_->admit(spec).has_value());
  for (std::uint32_t spi = 0x4000; spi < 0x4003; ++spi)
    EXPECT_TRUE(passes("127.0.0.1", spi)) << spi;
  EXPECT_FALSE(passes("127.0.0.1", 0x3fff));
  EXPECT_FALSE(passes("127.0.0.1", 0x4003));
  filter_->refuse(spec);
  for (std::uint32_t spi = 0x4000; spi < 0x4003; ++spi) EXPECT_FALSE(passes("127.0.0.1", spi));
}

TEST_F(UnderlayFilterTest, it_holds_as_many_associations_as_the_gate) {
  auto const of = [](std::size_t number) {
    auto const n = static_cast<std::uint32_t>(number);
    AssociationSpec spec = association("127.0.0.1", 0x10000 + n * kLanesMax, kLanesMax);
    spec.peer.address = Ipv4{(127u << 24) + 2 + n};
    return spec;
  };
  for (std::size_t i = 0; i < kAssociationsMax; ++i) {
    ASSERT_TRUE(filter_->admit(of(i)).has_value()) << i;
  }
  ASSERT_FALSE(filter_->admit(of(kAssociationsMax)).has_value());
  for (std::size_t i = 0; i < kAssociationsMax; i += 97) {
    std::uint32_t const spi = of(i).spi_in.value() + 5;
    EXPECT_TRUE(passes(to_string(of(i).peer.address.ipv4()), spi)) << i;
    EXPECT_FALSE(passes("127.0.0.1", spi)) << i;
  }
}

TEST_F(UnderlayFilterTest, a_run_is_dropped_only_if_nothing_of_it_has_an_association) {
  constexpr std::size_t kRun = 44;
  ASSERT_TRUE(filter_->admit(association("127.0.0.1", 0x5000)).has_value());
  // Where the one good datagram is; kRun: there is none.
  for (std::size_t good : {std::size_t{0}, std::size_t{1}, kRun - 1, kRun}) {
    Bytes run;
    for (std::size_t i = 0; i < kRun; ++i) append(run, esp(i == good ? 0x5000 : 0x6000));
    std::uint64_t const before = filter_->dropped().no_association;
    EXPECT_EQ(arrive("127.0.0.1", run, 100), good == kRun ? 0u : run.size()) << good;
    EXPECT_EQ(filter_->dropped().no_association - before, good == kRun ? kRun : 0u) << good;
  }
  // The last datagram of a run may be smaller, even than an SPI.
  Bytes run = esp(0x6000);
  append(run, Bytes(3, 0));
  EXPECT_EQ(arrive("127.0.0.1", run, 100), 0u);
}

}  // namespace
}  // namespace shamon
