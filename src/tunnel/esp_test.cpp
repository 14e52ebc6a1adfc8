#include "tunnel/esp.hpp"

#include <gtest/gtest.h>

#include "tunnel/association_table.hpp"
#include "tunnel/packet_fixture.hpp"
#include "tunnel/sealer.hpp"

namespace shamon {
namespace {

TEST(Esp, every_size_is_padded_to_a_multiple_of_four_and_strips_to_itself) {
  for (std::size_t inner_bytes = 0; inner_bytes < 70; ++inner_bytes) {
    Bytes datagram(esp_bytes(inner_bytes), 0xee);
    AeadJob const job = frame_esp(datagram, Spi(0x1234), 7, inner_bytes, kNextHeaderIpv4);
    EXPECT_EQ(job.data.size() % 4, 0u);
    EXPECT_LE(job.data.size(), inner_bytes + 5);
    auto const parsed = parse_esp(datagram);
    ASSERT_TRUE(parsed.has_value()) << inner_bytes;
    EXPECT_EQ(parsed->spi, Spi(0x1234));
    EXPECT_EQ(parsed->sequence, 7u);
    EXPECT_EQ(parsed->job.data.data(), job.data.data());
    auto const inner = strip_esp_trailer(parsed->job.data);
    ASSERT_TRUE(inner.has_value());
    EXPECT_EQ(inner->size(), inner_bytes);
  }
}

TEST(Esp, the_inner_mtu_is_the_largest_that_fits) {
  for (unsigned mtu : {576u, 1280u, 1499u, 1500u, 1501u, 9000u}) {
    std::size_t const inner = esp_inner_mtu(static_cast<std::uint16_t>(mtu));
    EXPECT_LE(esp_bytes(inner) + 28, mtu);
    EXPECT_GT(esp_bytes(inner + 1) + 28, mtu);
  }
  EXPECT_EQ(esp_inner_mtu(0), 0);
}

TEST(Esp, what_has_not_its_shape_is_refused) {
  struct Row {
    char const* name;
    Bytes datagram;
    PacketFault fault;
  };
  auto with_spi = [](std::uint32_t spi, std::size_t bytes) {
    Bytes out(bytes, 1);
    put_u32be(out.data(), spi);
    return out;
  };
  Row const rows[] = {
      {"empty", {}, PacketFault::bad_esp},
      {"keepalive", {0xff}, PacketFault::not_esp},
      {"another single byte", {0xfe}, PacketFault::bad_esp},
      {"non-ESP marker", Bytes(4, 0), PacketFault::not_esp},
      {"IKE", with_spi(0, 100), PacketFault::not_esp},
      {"reserved SPI", with_spi(255, 36), PacketFault::bad_esp},
      {"one byte short", with_spi(256, 35), PacketFault::bad_esp},
      {"not a multiple of four", with_spi(256, 37), PacketFault::bad_esp},
  };
  for (Row row : rows) {
    auto const parsed = parse_esp(row.datagram);
    ASSERT_FALSE(parsed.has_value()) << row.name;
    EXPECT_EQ(parsed.error().fault, row.fault) << row.name;
  }
  Bytes least = with_spi(256, 36);
  EXPECT_TRUE(parse_esp(least).has_value());
}

TEST(Esp, a_trailer_is_checked_byte_by_byte) {
  struct Row {
    char const* name;
    Bytes payload;
    int inner_bytes;  ///< -1: refused
  };
  Row const rows[] = {
      {"no padding", {9, 9, 0, 4}, 2},
      {"two bytes of padding", {1, 2, 2, 4}, 0},
      {"wrong padding bytes", {0, 0, 2, 4}, -1},
      {"padding longer than the payload", {1, 2, 3, 4}, -1},
      {"dummy packet", {9, 9, 0, 59}, 0},
      {"IPv6 inside", {9, 9, 0, 41}, 2},
      {"transport mode TCP", {9, 9, 0, 6}, -1},
      {"one byte", {4}, -1},
  };
  for (Row row : rows) {
    auto const inner = strip_esp_trailer(row.payload);
    EXPECT_EQ(inner.has_value() ? static_cast<int>(inner->size()) : -1, row.inner_bytes)
        << row.name;
  }
}

/// Two ends of one pair, and a sealer whose datagrams are kept.
class AssociationTest : public ::testing::Test {
 protected:
  static AssociationSpec spec() {
    AssociationSpec s;
    s.peer = {Ipv4{0xc0000202}, 4500};
    s.spi_in = Spi(0x2000);
    s.spi_out = Spi(0x1000);
    s.peer_name = HostName("b");
    s.label = LabelName("green");
    s.peer_member = s.peer_attested = true;
    return s;
  }
  static Result<Association> create(AssociationSpec const& s, std::uint8_t in = 1,
                                    std::uint8_t out = 2, WorkerPlace place = {}) {
    std::array<std::uint8_t, 36> key_in{in}, key_out{out};
    // The salt, at the end, must count too.
    key_in[aead_material_bytes(s.algorithm) - 1] = key_out[aead_material_bytes(s.algorithm) - 1] =
        9;
    return Association::create(AssociationId(1), s, {Secret<36>(key_in), Secret<36>(key_out)},
                               LabelId(0), place, Instant{0});
  }
  /// The other end's spec.
  static AssociationSpec mirror(AssociationSpec s) {
    std::swap(s.spi_in, s.spi_out);
    return s;
  }
  /// One sealed inner packet.
  static Bytes seal(Association& association, Bytes inner) {
    Bytes sealed;
    Sealer sealer([&](Endpoint const&, Underlay::Run const& run) {
      sealed = to_bytes(run.bytes);
      return Underlay::Sent{true, 0};
    });
    auto const packet = parse_ip_packet(inner);
    auto const room = sealer.place(association, *packet, inner.size(), {});
    std::copy(inner.begin(), inner.end(), room.begin());
    sealer.flush({});
    return sealed;
  }
};

TEST_F(AssociationTest, what_one_end_seals_the_other_opens_and_only_whole) {
  Result<Association> a = create(spec());
  Result<Association> b = create(mirror(spec()), 2, 1);
  ASSERT_TRUE(a.has_value() && b.has_value());
  Bytes run;
  std::size_t segment = 0;
  Sealer sealer([&](Endpoint const&, Underlay::Run const& sent) {
    run = to_bytes(sent.bytes);
    segment = sent.segment_bytes;
    return Underlay::Sent{true, 0};
  });
  Bytes inner = test::make_packet({.payload_bytes = 900});
  auto const packet = parse_ip_packet(inner);
  for (int i = 0; i < 3; ++i) {
    auto const room = sealer.place(*a, *packet, inner.size(), Instant{5});
    ASSERT_EQ(room.size(), inner.size());
    std::copy(inner.begin(), inner.end(), room.begin());
  }
  sealer.flush(Instant{5});
  ASSERT_EQ(run.size(), 3 * segment);
  EXPECT_EQ(a->counters.packets_out, 3u);
  EXPECT_EQ(a->counters.last_passed, Instant{5});
  for (std::uint32_t i = 0; i < 3; ++i) {
    Bytes datagram = to_bytes(ByteView(run).subspan(i * segment, segment));
    auto parsed = parse_esp(datagram);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->sequence, i + 1) << "numbers start at 1 and count up";
    b->inbound()[0].key.open({&parsed->job, 1});
    ASSERT_TRUE(parsed->job.ok);
    auto const opened = strip_esp_trailer(parsed->job.data);
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(to_bytes(*opened), inner);
  }
  // Any bit of the datagram matters: SPI, number, IV, data, ICV.
  for (std::size_t at : {0u, 5u, 12u, 20u, 500u}) {
    Bytes datagram = to_bytes(ByteView(run).first(segment));
    datagram[at] ^= 0x80;
    auto parsed = parse_esp(datagram);
    ASSERT_TRUE(parsed.has_value());
    b->inbound()[0].key.open({&parsed->job, 1});
    EXPECT_FALSE(parsed->job.ok) << at;
  }
}

TEST_F(AssociationTest, every_cipher_is_understood_by_the_end_that_has_the_same_and_by_no_other) {
  Bytes const inner = test::make_packet({.payload_bytes = 300});
  for (AeadAlgorithm ours : kAeadAlgorithms) {
    AssociationSpec s = spec();
    s.algorithm = ours;
    Result<Association> a = create(s);
    ASSERT_TRUE(a.has_value()) << to_string(ours);
    Bytes const sealed = seal(*a, inner);
    for (AeadAlgorithm theirs : kAeadAlgorithms) {
      AssociationSpec mirrored = mirror(s);
      mirrored.algorithm = theirs;
      Result<Association> b = create(mirrored, 2, 1);
      ASSERT_TRUE(b.has_value()) << to_string(theirs);
      Bytes datagram = sealed;
      auto parsed = parse_esp(datagram);
      ASSERT_TRUE(parsed.has_value());
      b->inbound()[0].key.open({&parsed->job, 1});
      EXPECT_EQ(parsed->job.ok, ours == theirs) << to_string(ours) << ", " << to_string(theirs);
      if (ours != theirs) continue;
      auto const opened = strip_esp_trailer(parsed->job.data);
      ASSERT_TRUE(opened.has_value());
      EXPECT_EQ(to_bytes(*opened), inner);
    }
  }
}

TEST_F(AssociationTest, more_key_than_the_cipher_takes_is_refused) {
  AssociationSpec s = spec();
  s.algorithm = AeadAlgorithm::encr_aes_gcm_16_128;
  for (std::size_t at : {19u, 20u, 35u}) {
    for (bool outward : {false, true}) {
      std::array<std::uint8_t, 36> key_in{1}, key_out{2};
      (outward ? key_out : key_in)[at] = 7;
      auto const made =
          Association::create(AssociationId(1), s, {Secret<36>(key_in), Secret<36>(key_out)},
                              LabelId(0), {}, Instant{0});
      EXPECT_EQ(made.has_value(), at < 20) << at;
      if (!made) {
        EXPECT_EQ(made.error().code, Errc::invalid);
      }
    }
  }
  s.algorithm = AeadAlgorithm{};
  EXPECT_FALSE(create(s).has_value()) << "no cipher was named";
}

TEST_F(AssociationTest, a_run_has_datagrams_of_one_size_but_for_the_last) {
  Result<Association> a = create(spec());
  ASSERT_TRUE(a.has_value());
  struct Sent {
    std::size_t bytes, segment;
  };
  std::vector<Sent> sent;
  Sealer sealer([&](Endpoint const&, Underlay::Run const& run) {
    sent.push_back({run.bytes.size(), run.segment_bytes});
    return Underlay::Sent{true, 0};
  });
  IpPacket like;
  for (std::size_t bytes : {100u, 100u, 40u, 100u, 200u}) {
    ASSERT_FALSE(sealer.place(*a, like, bytes, {}).empty());
  }
  for (int i = 0; i < 65; ++i) ASSERT_FALSE(sealer.place(*a, like, 200, {}).empty());
  for (int i = 0; i < 47; ++i) ASSERT_FALSE(sealer.place(*a, like, 1438, {}).empty());
  sealer.flush({});
  like.traffic_class = 1;
  ASSERT_FALSE(sealer.place(*a, like, 100, {}).empty());
  like.traffic_class = 3;
  ASSERT_FALSE(sealer.place(*a, like, 100, {}).empty());
  sealer.flush({});
  ASSERT_EQ(sent.size(), 8u) << "packets of another class do not share a run";
  EXPECT_EQ(sent[0].bytes, 2 * esp_bytes(100) + esp_bytes(40));
  EXPECT_EQ(sent[1].bytes, esp_bytes(100)) << "a larger one begins a run";
  EXPECT_EQ(sent[2].bytes, 64 * esp_bytes(200)) << "at most 64";
  EXPECT_EQ(sent[3].bytes, 2 * esp_bytes(200));
  EXPECT_LE(sent[4].bytes, kDatagramBytesMax);
  for (Sent const& run : sent) EXPECT_LE(run.bytes / run.segment, 64u);
}

TEST_F(AssociationTest, extended_numbers_are_authenticated_but_only_half_sent) {
  AssociationSpec s = spec();
  s.extended_sequence = true;
  Result<Association> a = create(s), b = create(mirror(s), 2, 1);
  ASSERT_TRUE(a.has_value() && b.has_value());
  Bytes datagram = seal(*a, test::make_packet({}));
  auto parsed = parse_esp(datagram);
  ASSERT_TRUE(parsed.has_value());
  Bytes const sealed = to_bytes(parsed->job.data);
  // The eight bytes the wire has are not what was authenticated.
  b->inbound()[0].key.open({&parsed->job, 1});
  EXPECT_FALSE(parsed->job.ok);
  for (std::uint64_t high : {std::uint64_t{1}, std::uint64_t{0}}) {
    std::copy(sealed.begin(), sealed.end(), parsed->job.data.begin());
    ExtendedAad const aad = make_extended_aad(parsed->spi, high << 32 | parsed->sequence);
    parsed->job.aad = aad;
    b->inbound()[0].key.open({&parsed->job, 1});
    EXPECT_EQ(parsed->job.ok, high == 0);
  }
}

TEST_F(AssociationTest, each_worker_seals_on_its_own_lane_and_opens_what_has_no_counterpart) {
  AssociationSpec s = spec();
  s.lanes = 3;
  std::vector<Association> senders;
  for (unsigned i = 0; i < 3; ++i) {
    auto made = create(s, 1, 2, {i, 3});
    ASSERT_TRUE(made.has_value());
    senders.push_back(*std::move(made));
  }
  Result<Association> receivers[2] = {create(mirror(s), 2, 1, {0, 2}),
                                      create(mirror(s), 2, 1, {1, 2})};
  ASSERT_TRUE(receivers[0].has_value() && receivers[1].has_value());
  ASSERT_EQ(receivers[0]->inbound().size(), 2u) << "lanes 0 and 2";
  ASSERT_EQ(receivers[1]->inbound().size(), 1u) << "lane 1";
  Bytes const inner = test::make_packet({});
  for (unsigned lane = 0; lane < 3; ++lane) {
    Bytes const datagram = seal(senders[lane], inner);
    int opened = 0;
    for (auto& receiver : receivers) {
      for (Inbound& in : receiver->inbound()) {
        Bytes copy = datagram;
        auto parsed = parse_esp(copy);
        ASSERT_TRUE(parsed.has_value());
        EXPECT_EQ(parsed->sequence, 1u) << "numbers of its own";
        in.key.open({&parsed->job, 1});
        EXPECT_EQ(parsed->job.ok, in.spi == parsed->spi) << "a key of its own";
        opened += parsed->job.ok ? 1 : 0;
      }
    }
    EXPECT_EQ(opened, 1);
  }
  EXPECT_FALSE(create(s, 1, 2, {0, 4}).has_value()) << "four workers, three lanes";
  s.spi_in = Spi(0x2001);
  EXPECT_FALSE(create(s).has_value()) << "the SPI does not tell the lane";
}

TEST_F(AssociationTest, a_way_that_takes_less_is_remembered) {
  Result<Association> a = create(spec());
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(a->inner_mtu(), 0xffff);
  for (std::uint16_t told : {std::uint16_t{1400}, std::uint16_t{1450}}) {
    Sealer sealer([&](Endpoint const&, Underlay::Run const&) {
      return Underlay::Sent{false, told};
    });
    ASSERT_FALSE(sealer.place(*a, {}, 1430, {}).empty());
    sealer.flush({});
  }
  EXPECT_EQ(a->inner_mtu(), esp_inner_mtu(1400)) << "it is not raised again";
  EXPECT_EQ(a->counters.dropped_full, 2u);
}

TEST_F(AssociationTest, keys_and_numbers_that_must_not_be_are_refused) {
  EXPECT_FALSE(create(spec(), 1, 1).has_value()) << "one key both ways repeats every IV";
  for (std::uint32_t bad : {0u, 1u, 255u}) {
    AssociationSpec s = spec();
    s.spi_in = Spi(bad);
    EXPECT_FALSE(create(s).has_value()) << bad;
    s = spec();
    s.spi_out = Spi(bad);
    EXPECT_FALSE(create(s).has_value()) << bad;
  }
}

TEST_F(AssociationTest, a_rekey_is_wished_once_at_80_per_cent_of_any_bound) {
  struct Row {
    char const* name;
    std::uint64_t bytes;
    std::int64_t seconds;
    bool wished, expired;
  };
  constexpr Row kRows[] = {
      {"new", 0, 0, false, false},
      {"bytes below", 7900, 0, false, false},
      {"bytes at 80 %", 8100, 0, true, false},
      {"bytes spent", 10000, 0, true, true},
      {"time below", 0, 79, false, false},
      {"time at 80 %", 0, 81, true, false},
      {"time over", 0, 100, true, true},
  };
  for (Row const& row : kRows) {
    AssociationSpec s = spec();
    s.bytes_max = 10000;
    s.seconds_max = 100;
    Result<Association> a = create(s);
    ASSERT_TRUE(a.has_value());
    a->counters.bytes_in = row.bytes;
    Instant const now{row.seconds * 1'000'000'000};
    EXPECT_EQ(a->take_rekey_wish(now), row.wished) << row.name;
    EXPECT_FALSE(a->take_rekey_wish(now)) << row.name << ", only once";
    EXPECT_EQ(a->expired(now), row.expired) << row.name;
  }
}

}  // namespace
}  // namespace shamon
