#include "tunnel/vhost_user/ring.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tunnel/vhost_user/driver_fixture.hpp"

namespace shamon::vhost_user {
namespace {

using test::Driver;
using test::kGuestBase;
using test::kUserBase;

constexpr std::uint16_t kSize = 8;

/// A ring whose two ends are both here. Parameter: packed.
class RingTest : public ::testing::TestWithParam<bool> {
 protected:
  Wiring wiring(Direction direction, bool event_index, std::uint16_t size = kSize) {
    Ring::Sizes const sizes = Ring::sizes(GetParam(), size);
    auto at = [&](std::size_t offset, std::size_t bytes) {
      auto area = mapped_->at_user(kUserBase + offset, bytes, 4);
      EXPECT_TRUE(area.has_value());
      return *area;
    };
    Wiring wiring;
    wiring.size = size;
    wiring.descriptors = at(Driver::kDescriptors, sizes.descriptors);
    wiring.driver = at(Driver::kDriver, sizes.driver);
    wiring.device = at(Driver::kDevice, sizes.device);
    wiring.event_index = event_index;
    wiring.indirect = true;
    wiring.direction = direction;
    wiring.memory = mapped_;
    wiring.log = log_;
    return wiring;
  }
  void make(Direction direction = Direction::from_guest, bool event_index = false) {
    auto ring = Ring::make(wiring(direction, event_index), GetParam(), start());
    ASSERT_TRUE(ring.has_value());
    ring_ = *std::move(ring);
    driver_.emplace(memory_, GetParam(), kSize, direction == Direction::to_guest);
  }
  std::uint32_t start() const { return GetParam() ? 0x80008000u : 0; }
  std::optional<Chain> take() {
    pieces_.clear();
    auto const chain = ring_->take(pieces_);
    EXPECT_TRUE(chain.has_value());
    return chain ? *chain : std::nullopt;
  }
  Fault take_fault() {
    pieces_.clear();
    auto const chain = ring_->take(pieces_);
    return chain ? Fault::none : chain.error();
  }
  std::string content() const {
    std::string text;
    for (Area const& piece : pieces_) {
      text.append(reinterpret_cast<char const*>(piece.bytes), piece.size);
    }
    return text;
  }

  test::SharedMemory memory_{0x40000};
  std::shared_ptr<GuestMemory const> mapped_ = memory_.map();
  std::shared_ptr<DirtyLog const> log_;
  std::unique_ptr<Ring> ring_;
  std::optional<Driver> driver_;
  std::vector<Area> pieces_;
};

TEST_P(RingTest, carries_buffers_in_order_over_many_rounds_however_they_are_chained) {
  make();
  for (int round = 0; round < 1000; ++round) {
    std::uint16_t const id = driver_->next_free();
    std::string const text = "frame " + std::to_string(round);
    std::memcpy(driver_->bytes(id), text.data(), text.size());
    auto const bytes = static_cast<std::uint32_t>(text.size());
    std::uint64_t const at = driver_->buffer(id);
    std::uint16_t const offered =
        round % 3 == 0
            ? driver_->offer({{at, bytes}})
            : driver_->offer({{at, 2}, {at + 2, 0}, {at + 2, bytes - 2}}, round % 3 == 1);
    auto const chain = take();
    ASSERT_TRUE(chain.has_value()) << round;
    EXPECT_EQ(chain->bytes, bytes);
    EXPECT_EQ(content(), text);
    EXPECT_FALSE(take().has_value());
    ring_->give_back(*chain, 0);
    EXPECT_FALSE(driver_->collect().has_value()) << "before it was published";
    ring_->publish();
    auto const used = driver_->collect();
    ASSERT_TRUE(used.has_value()) << round;
    EXPECT_EQ(used->id, offered);
    EXPECT_FALSE(driver_->collect().has_value());
  }
}

TEST_P(RingTest, a_full_ring_comes_back_in_one_batch_and_takes_can_be_undone) {
  make(Direction::to_guest);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kSize; ++i) driver_->offer({{driver_->buffer(driver_->next_free()), 100}});
    Ring::Position const mark = ring_->mark();
    for (int i = 0; i < kSize; ++i) ASSERT_TRUE(take().has_value());
    EXPECT_FALSE(take().has_value());
    ring_->rewind(mark);
    for (int i = 0; i < kSize; ++i) {
      auto const chain = take();
      ASSERT_TRUE(chain.has_value());
      ring_->give_back(*chain, static_cast<std::uint32_t>(10 + i));
    }
    ring_->publish();
    for (int i = 0; i < kSize; ++i) {
      auto const used = driver_->collect();
      ASSERT_TRUE(used.has_value());
      EXPECT_EQ(used->bytes, static_cast<std::uint32_t>(10 + i));
    }
  }
}

TEST_P(RingTest, a_ring_goes_on_where_it_stood_even_if_nobody_could_ask_it) {
  make();
  for (int round = 0; round < 40; ++round) {
    // Three at a time, so that the ends of the ring fall between and into batches.
    for (int i = 0; i < 3; ++i) driver_->offer_bytes("one");
    for (int i = 0; i < 2; ++i) ring_->give_back(*take(), 0);
    ring_->publish();
    if (round % 2 == 0) ring_->want_kicks(true);
    // What was taken but not given back is taken again by who comes next.
    (void)take();
    std::uint32_t told = round % 4 < 2 ? ring_->base() : start();
    // QEMU knows the used index of a split ring, from memory.
    if (!GetParam()) told = driver_->peek<std::uint16_t>(Driver::kDevice + 2);
    if (GetParam() && round % 4 < 2) told = told >> 16 | (told & 0xffff0000u);
    auto again = Ring::make(wiring(Direction::from_guest, round % 3 == 0), GetParam(), told);
    ASSERT_TRUE(again.has_value());
    ring_ = *std::move(again);
    auto const chain = take();
    ASSERT_TRUE(chain.has_value()) << round;
    EXPECT_EQ(content(), "one");
    EXPECT_FALSE(take().has_value());
    ring_->give_back(*chain, 0);
    ring_->publish();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(driver_->collect().has_value()) << round;
  }
}

TEST_P(RingTest, calls_and_kicks_are_asked_for_only_when_wanted) {
  for (bool const event_index : {false, true}) {
    std::memset(memory_.data, 0, memory_.size);
    make(Direction::from_guest, event_index);
    auto pass_one = [&] {
      driver_->offer_bytes("x");
      ring_->give_back(*take(), 0);
      ring_->publish();
      (void)driver_->collect();
      return ring_->wants_call();
    };
    EXPECT_FALSE(ring_->wants_call()) << "nothing was published";
    EXPECT_TRUE(pass_one());
    EXPECT_FALSE(ring_->wants_call()) << "told already";
    if (event_index) {
      // The third from here: position 3 of the round, or index 3.
      if (GetParam()) {
        driver_->poke<std::uint32_t>(Driver::kDriver, 2u << 16 | 0x8000 | 3);
      } else {
        driver_->poke<std::uint16_t>(Driver::kDriver + 4 + 2 * kSize, 3);
      }
      EXPECT_FALSE(pass_one());
      EXPECT_FALSE(pass_one());
      EXPECT_TRUE(pass_one());
      EXPECT_FALSE(pass_one());
    } else {
      if (GetParam()) {
        driver_->poke<std::uint32_t>(Driver::kDriver, 1u << 16);
      } else {
        driver_->poke<std::uint16_t>(Driver::kDriver, 1);
      }
      EXPECT_FALSE(pass_one());
    }
    ring_->want_kicks(false);
    auto const off = driver_->peek<std::uint32_t>(Driver::kDevice);
    ring_->want_kicks(true);
    auto const on = driver_->peek<std::uint32_t>(Driver::kDevice);
    if (GetParam()) {
      EXPECT_EQ(off >> 16, 1u);
      EXPECT_EQ(on >> 16, event_index ? 2u : 0u);
      EXPECT_EQ(on & 0xffff, ring_->base() & 0xffff);
    } else if (event_index) {
      EXPECT_EQ(driver_->peek<std::uint16_t>(Driver::kDevice + 4 + 8 * kSize), ring_->base());
    } else {
      EXPECT_EQ(off & 0xffff, 1u);
      EXPECT_EQ(on & 0xffff, 0u);
    }
  }
}

TEST_P(RingTest, every_page_we_write_is_in_the_dirty_log) {
  test::SharedMemory log(0x40000);
  // The log begins at the guest's page 0.
  std::uint64_t const bytes = (kGuestBase + memory_.size) / kLogPageBytes / 8;
  ASSERT_LE(bytes, log.size);
  auto mapping = SharedMapping::map(log.fd.get(), 0, bytes);
  ASSERT_TRUE(mapping.has_value());
  log_ = std::make_shared<DirtyLog const>(*std::move(mapping));
  EXPECT_TRUE(log_->covers(mapped_->guest_end()));
  EXPECT_FALSE(log_->covers(mapped_->guest_end() + 1));
  make(Direction::to_guest);
  std::memset(log.data, 0, log.size);
  driver_->offer({{driver_->buffer(0), 100}});
  ring_->give_back(*take(), 10);
  ring_->publish();
  auto dirty = [&](std::uint64_t offset) {
    std::uint64_t const page = (kGuestBase + offset) / kLogPageBytes;
    return (log.data[page / 8] >> page % 8 & 1) != 0;
  };
  EXPECT_TRUE(dirty(Driver::kDevice));
  EXPECT_EQ(dirty(Driver::kDescriptors), GetParam());
  EXPECT_FALSE(dirty(Driver::kDriver));
}

TEST_P(RingTest, what_no_driver_does_stops_the_ring) {
  bool const packed = GetParam();
  std::uint16_t const ready = packed ? 1u << 7 : 0;
  std::size_t const flags_at = packed ? 14 : 12;
  auto flags = [&](std::uint16_t value) {
    driver_->poke<std::uint16_t>(flags_at, static_cast<std::uint16_t>(value | ready));
  };
  auto table = [&](std::uint64_t guest, std::uint32_t bytes) {
    driver_->poke<std::uint64_t>(0, guest);
    driver_->poke<std::uint32_t>(8, bytes);
    flags(4);
  };
  struct Row {
    char const* name;
    std::function<void()> change;
    Fault fault;
  };
  Row const rows[] = {
      {"as it should be", [] {}, Fault::none},
      {"last byte", [&] { driver_->poke<std::uint64_t>(0, mapped_->guest_end() - 3); },
       Fault::none},
      {"behind the end", [&] { driver_->poke<std::uint64_t>(0, mapped_->guest_end() - 2); },
       Fault::buffer_outside},
      {"before the begin", [&] { driver_->poke<std::uint64_t>(0, kGuestBase - 1); },
       Fault::buffer_outside},
      {"wraps", [&] { driver_->poke<std::uint64_t>(0, UINT64_MAX); }, Fault::buffer_outside},
      {"as long as can be", [&] { driver_->poke<std::uint32_t>(8, UINT32_MAX); },
       Fault::buffer_outside},
      {"to be written", [&] { flags(2); }, Fault::wrong_direction},
      {"table and chain", [&] { flags(4 | 1); }, Fault::bad_indirect},
      {"empty table", [&] { table(kGuestBase + Driver::kTables, 0); }, Fault::bad_indirect},
      {"odd table", [&] { table(kGuestBase + Driver::kTables, 17); }, Fault::bad_indirect},
      {"huge table", [&] { table(kGuestBase, 16 * (kIndirectMax + 1)); }, Fault::bad_indirect},
      {"table outside", [&] { table(mapped_->guest_end() - 15, 16); }, Fault::buffer_outside},
      {"table in a table",
       [&] {
         table(kGuestBase + Driver::kTables, 16);
         driver_->poke<std::uint16_t>(Driver::kTables + flags_at, 4);
       },
       Fault::bad_indirect},
  };
  for (Row const& row : rows) {
    std::memset(memory_.data, 0, memory_.size);
    make();
    driver_->offer_bytes("abc");
    row.change();
    EXPECT_EQ(take_fault(), row.fault) << row.name;
  }
}

TEST_P(RingTest, a_chain_without_end_stops_the_ring) {
  make();
  if (GetParam()) {
    for (std::size_t i = 0; i < kSize; ++i) {
      driver_->poke<std::uint64_t>(16 * i, kGuestBase);
      driver_->poke<std::uint32_t>(16 * i + 8, 1);
      driver_->poke<std::uint16_t>(16 * i + 14, 1u << 7 | 1);
    }
    EXPECT_EQ(take_fault(), Fault::chain_loops);
    return;
  }
  driver_->offer_bytes("abc");
  driver_->poke<std::uint16_t>(12, 1);  // its own successor
  EXPECT_EQ(take_fault(), Fault::chain_loops);
  driver_->poke<std::uint16_t>(14, kSize);
  EXPECT_EQ(take_fault(), Fault::descriptor_outside);
  driver_->poke<std::uint16_t>(Driver::kDriver + 4, kSize);
  EXPECT_EQ(take_fault(), Fault::descriptor_outside);
  driver_->poke<std::uint16_t>(Driver::kDriver + 2, kSize + 1);
  EXPECT_EQ(take_fault(), Fault::index_jump);
  // A table whose entries follow each other in a circle.
  std::memset(memory_.data, 0, memory_.size);
  make();
  driver_->offer({{kGuestBase, 1}, {kGuestBase, 1}}, true);
  driver_->poke<std::uint16_t>(Driver::kTables + 16 + 12, 1);
  EXPECT_EQ(take_fault(), Fault::chain_loops);
  driver_->poke<std::uint16_t>(Driver::kTables + 14, 2);
  EXPECT_EQ(take_fault(), Fault::descriptor_outside);
}

TEST_P(RingTest, a_position_outside_the_ring_or_an_odd_size_is_refused) {
  auto fault = [&](std::uint16_t size, std::uint32_t base) {
    auto const ring = Ring::make(wiring(Direction::from_guest, false, size), GetParam(), base);
    return ring ? Fault::none : ring.error();
  };
  if (GetParam()) {
    EXPECT_EQ(fault(7, 0x80068006), Fault::none);
    EXPECT_EQ(fault(7, 0x80008007), Fault::bad_ring_base);
    EXPECT_EQ(fault(7, 0x80078000), Fault::bad_ring_base);
  } else {
    EXPECT_EQ(fault(8, 0xffff), Fault::none);
    EXPECT_EQ(fault(8, 0x10000), Fault::bad_ring_base);
    EXPECT_EQ(fault(7, 0), Fault::bad_ring_size);
  }
}

INSTANTIATE_TEST_SUITE_P(Rings, RingTest, ::testing::Bool(),
                         [](auto const& each) { return each.param ? "packed" : "split"; });

TEST(GuestMemoryTest, takes_only_what_lies_in_a_file_that_stays) {
  struct Row {
    char const* name;
    int seals;
    std::vector<MemoryRegion> regions;
    Fault fault;
  };
  constexpr std::uint64_t kPage = 4096;
  Row const rows[] = {
      {"one region", F_SEAL_SHRINK, {{0, 4 * kPage, 0, 0}}, Fault::none},
      {"two parts", F_SEAL_SHRINK, {{0, kPage, 0, 0}, {kPage, kPage, kPage, kPage}}, Fault::none},
      {"not sealed", 0, {{0, kPage, 0, 0}}, Fault::not_sealed},
      {"sealed against growing only", F_SEAL_GROW, {{0, kPage, 0, 0}}, Fault::not_sealed},
      {"a byte behind the file", F_SEAL_SHRINK, {{0, 4 * kPage + 1, 0, 0}}, Fault::bad_region},
      {"offset behind the file", F_SEAL_SHRINK, {{0, kPage, 0, 4 * kPage}}, Fault::bad_region},
      {"offset that wraps", F_SEAL_SHRINK, {{0, kPage, 0, UINT64_MAX}}, Fault::bad_region},
      {"empty", F_SEAL_SHRINK, {{0, 0, 0, 0}}, Fault::bad_region},
      {"guest address wraps", F_SEAL_SHRINK, {{UINT64_MAX, kPage, 0, 0}}, Fault::bad_region},
      {"user address wraps", F_SEAL_SHRINK, {{0, kPage, UINT64_MAX, 0}}, Fault::bad_region},
      {"overlap for the guest",
       F_SEAL_SHRINK,
       {{0, 2 * kPage, 0, 0}, {kPage, kPage, 8 * kPage, 0}},
       Fault::bad_region},
      {"overlap for the front end",
       F_SEAL_SHRINK,
       {{0, kPage, 0, 0}, {kPage, kPage, kPage - 1, 0}},
       Fault::bad_region},
  };
  for (Row const& row : rows) {
    test::SharedMemory const file(4 * kPage, row.seals);
    MemoryTable table;
    std::vector<UniqueFd> fds;
    for (MemoryRegion const& region : row.regions) {
      table.regions[table.count++] = region;
      fds.push_back(file.descriptor());
    }
    auto const memory = GuestMemory::map(table, fds);
    EXPECT_EQ(memory ? Fault::none : memory.error(), row.fault) << row.name;
    fds.emplace_back();
    EXPECT_FALSE(GuestMemory::map(table, fds).has_value()) << "a descriptor too many";
  }
}

}  // namespace
}  // namespace shamon::vhost_user
