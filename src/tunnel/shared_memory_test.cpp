// Channels with the kernel's own memory and sockets.
#include "tunnel/shared_memory.hpp"

#include <cerrno>

#include <fcntl.h>

#include "monitor/permit_fixture.hpp"
#include "tunnel/share_fixture.hpp"

namespace shamon {
namespace {

using gate::ShareSide;
using gate::ShareView;

constexpr std::size_t kBytes = 65536;

class SharedMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = SharedMemory::create();
    ASSERT_TRUE(made) << made.error().describe();
    shares_.emplace(*std::move(made));
  }

  static ShareSpec spec(bool writable = true, std::uint32_t events = 2, std::uint32_t id = 7) {
    return {ChannelId(id),      VmName("g1"), VmName("g2"), LabelName("green"),
            LabelName("green"), kBytes,       events,       writable};
  }
  SharePermits permits(ShareSpec const& s) {
    LabelId const green = monitor_.label("green");
    SharePermits out{
        monitor_.permit(MemoryShare{s.owner, green, s.user, green, s.writable}), {}, {}};
    if (s.events == 0) return out;
    out.to_user.emplace(monitor_.permit(EventBind{s.owner, green, s.user, green}));
    out.to_owner.emplace(monitor_.permit(EventBind{s.user, green, s.owner, green}));
    return out;
  }
  Status open(ShareSpec const& s) { return shares_->open(permits(s), s); }
  Status join(ShareClient& client, ShareSide side, ShareView view, std::uint32_t id = 7) {
    return shares_->join(ChannelId(id), side, view, client.take_gate_end());
  }
  /// The side's memory, mapped; null if it is not given or not mapped so.
  std::uint8_t* map(ShareClient& client, ShareSide side, bool writable = true) {
    if (!join(client, side, ShareView::memory) || !client.receive_memory(0)) return nullptr;
    return client.map(kBytes, writable);
  }

  PermitFixture monitor_;
  std::optional<SharedMemory> shares_;
};

TEST_F(SharedMemoryTest, memory_passes_both_ways) {
  ASSERT_TRUE(open(spec()));
  ShareClient owner, user;
  std::uint8_t* const ours = map(owner, ShareSide::owner);
  std::uint8_t* const theirs = map(user, ShareSide::user);
  ASSERT_TRUE(ours != nullptr && theirs != nullptr);
  EXPECT_EQ(::lseek(owner.memory.get(), 0, SEEK_END), ssize_t{kBytes});
  ours[0] = 0x11;
  theirs[kBytes - 1] = 0x22;
  EXPECT_EQ(theirs[0], 0x11);
  EXPECT_EQ(ours[kBytes - 1], 0x22);
  EXPECT_EQ(owner.hear(100), -2) << "nothing more is said";
}

TEST_F(SharedMemoryTest, rings_pass_both_ways_and_only_through_the_gate) {
  ASSERT_TRUE(open(spec()));
  ShareClient owner, user;
  ASSERT_TRUE(join(owner, ShareSide::owner, ShareView::events));
  EXPECT_TRUE(owner.ring(0));
  EXPECT_TRUE(shares_->turn().empty());
  ASSERT_TRUE(join(user, ShareSide::user, ShareView::events));
  EXPECT_EQ(user.hear(), 0) << "what was rung before it came waits for it";

  EXPECT_TRUE(owner.ring(1));
  EXPECT_EQ(user.hear(), -1) << "only the gate passes a ring on";
  EXPECT_TRUE(shares_->turn().empty());
  EXPECT_EQ(user.hear(), 1);
  EXPECT_EQ(owner.hear(), -1) << "its own ring";
  EXPECT_TRUE(user.ring(0));
  EXPECT_TRUE(shares_->turn().empty());
  EXPECT_EQ(owner.hear(), 0);
  auto const state = shares_->states().at(0);
  EXPECT_EQ(state.rings_of_owner, 2u);
  EXPECT_EQ(state.rings_of_user, 1u);
}

TEST_F(SharedMemoryTest, what_is_no_event_of_the_channel_is_not_passed_on) {
  ASSERT_TRUE(open(spec()));
  ShareClient owner, user;
  ASSERT_TRUE(join(owner, ShareSide::owner, ShareView::events));
  ASSERT_TRUE(join(user, ShareSide::user, ShareView::events));
  for (int const byte : {2, 8, 255}) EXPECT_TRUE(owner.ring(static_cast<std::uint8_t>(byte)));
  EXPECT_TRUE(shares_->turn().empty());
  EXPECT_EQ(user.hear(), -1);
}

TEST_F(SharedMemoryTest, a_side_that_does_not_listen_loses_no_event_and_costs_no_memory) {
  ASSERT_TRUE(open(spec()));
  ShareClient owner, user;
  ASSERT_TRUE(join(owner, ShareSide::owner, ShareView::events));
  ASSERT_TRUE(join(user, ShareSide::user, ShareView::events));
  // Until the user's socket takes no more.
  std::uint64_t passed = 0;
  do {
    passed = shares_->states().at(0).rings_of_owner;
    ASSERT_TRUE(owner.ring(0));
    ASSERT_TRUE(shares_->turn().empty());
  } while (shares_->states().at(0).rings_of_owner != passed);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(owner.ring(1));
    ASSERT_TRUE(shares_->turn().empty());
  }
  std::uint64_t heard = 0;
  while (user.hear() == 0) ++heard;
  EXPECT_EQ(heard, passed);
  EXPECT_TRUE(shares_->turn().empty());
  EXPECT_EQ(user.hear(), 0) << "the one that did not fit,";
  EXPECT_EQ(user.hear(), 1) << "and one for the hundred behind it";
  EXPECT_EQ(user.hear(), -1);
  pollfd entry{shares_->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0) << "and the gate has nothing to do";
}

TEST_F(SharedMemoryTest, nobody_resizes_or_seals_the_memory_of_others) {
  ASSERT_TRUE(open(spec()));
  ShareClient user;
  ASSERT_TRUE(map(user, ShareSide::user));
  EXPECT_NE(::ftruncate(user.memory.get(), 0), 0);
  EXPECT_NE(::ftruncate(user.memory.get(), 2 * kBytes), 0);
  EXPECT_NE(::fcntl(user.memory.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
}

TEST_F(SharedMemoryTest, who_may_only_read_cannot_write_by_any_means) {
  ASSERT_TRUE(open(spec(false)));
  ShareClient owner, early, reader;
  EXPECT_EQ(join(early, ShareSide::user, ShareView::memory).error().code, Errc::conflict)
      << "before the owner has it";
  std::uint8_t* const ours = map(owner, ShareSide::owner);
  ASSERT_NE(ours, nullptr);
  ours[5] = 0x55;
  std::uint8_t* const theirs = map(reader, ShareSide::user, false);
  ASSERT_NE(theirs, nullptr);
  EXPECT_EQ(reader.map(kBytes, true), nullptr);
  EXPECT_EQ(errno, EPERM);
  EXPECT_LT(::pwrite(reader.memory.get(), "x", 1, 5), 0);
  EXPECT_NE(::fallocate(reader.memory.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBytes),
            0);
  EXPECT_NE(::mprotect(theirs, kBytes, PROT_READ | PROT_WRITE), 0);
  // Nor by opening it anew, as QEMU does.
  std::string const path = "/proc/self/fd/" + std::to_string(reader.memory.get());
  UniqueFd const anew(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(anew);
  EXPECT_EQ(::mmap(nullptr, kBytes, PROT_WRITE, MAP_SHARED, anew.get(), 0), MAP_FAILED);
  EXPECT_LT(::pwrite(anew.get(), "x", 1, 5), 0);
  EXPECT_EQ(theirs[5], 0x55);
  ours[5] = 0x66;
  EXPECT_EQ(theirs[5], 0x66) << "the owner goes on writing";
}

TEST_F(SharedMemoryTest, the_end_silences_events_clears_the_memory_and_hangs_up) {
  for (bool const writable : {true, false}) {
    ASSERT_TRUE(open(spec(writable)));
    ShareClient owner, user, owners_events, users_events;
    std::uint8_t* const ours = map(owner, ShareSide::owner);
    std::uint8_t* const theirs = map(user, ShareSide::user, false);
    ASSERT_TRUE(ours != nullptr && theirs != nullptr);
    ASSERT_TRUE(join(owners_events, ShareSide::owner, ShareView::events));
    ASSERT_TRUE(join(users_events, ShareSide::user, ShareView::events));
    ours[0] = ours[kBytes - 1] = 0x99;
    ASSERT_EQ(theirs[kBytes - 1], 0x99);
    EXPECT_TRUE(owners_events.ring(0));  // under way when the end comes

    ASSERT_TRUE(shares_->end(ChannelId(7)));
    EXPECT_EQ(theirs[0], 0) << "for a mapping that outlives the channel too";
    EXPECT_EQ(theirs[kBytes - 1], 0);
    EXPECT_TRUE(shares_->turn().empty());
    EXPECT_EQ(users_events.hear(100), -2) << "no ring, but the end";
    EXPECT_FALSE(users_events.ring(0));
    EXPECT_EQ(shares_->end(ChannelId(7)).error().code, Errc::not_found);
  }
}

TEST_F(SharedMemoryTest, a_hypervisor_that_leaves_is_reported) {
  ASSERT_TRUE(open(spec()));
  ShareClient owner, user;
  ASSERT_TRUE(join(owner, ShareSide::owner, ShareView::events));
  ASSERT_TRUE(join(user, ShareSide::user, ShareView::events));
  EXPECT_TRUE(shares_->turn().empty());
  user.hang_up();
  EXPECT_EQ(shares_->turn(), std::vector<ChannelId>{ChannelId(7)});
}

TEST_F(SharedMemoryTest, refuses_what_no_channel_can_be) {
  struct Case {
    char const* what;
    std::uint32_t id;
    std::uint64_t bytes;
    std::uint32_t events;
    char const* user;
    bool good;
  };
  Case const cases[] = {
      {"the least", 1, 4096, 0, "g2", true},
      {"the most", 2, 64u << 20, 8, "g2", true},
      {"the last number", gate::kShareIdMax, 4096, 0, "g2", true},
      {"one behind it", gate::kShareIdMax + 1, 4096, 0, "g2", false},
      {"id 0", 0, 4096, 0, "g2", false},
      {"less than a page", 3, 2048, 0, "g2", false},
      {"more than a slot has room for", 3, 128u << 20, 0, "g2", false},
      {"no power of two", 3, 12288, 0, "g2", false},
      {"no bytes", 3, 0, 0, "g2", false},
      {"too many events", 3, 4096, 9, "g2", false},
      {"with itself", 3, 4096, 0, "g1", false},
  };
  for (Case const& test : cases) {
    ShareSpec asked = spec(true, test.events, test.id);
    asked.size_bytes = test.bytes;
    asked.user = VmName(test.user);
    Status const opened = open(asked);
    ASSERT_EQ(opened.has_value(), test.good) << test.what;
    if (!test.good) {
      EXPECT_EQ(opened.error().code, Errc::invalid) << test.what;
    }
  }
}

TEST_F(SharedMemoryTest, refuses_permits_of_another_channel) {
  ShareSpec other = spec();
  other.user = VmName("g3");
  EXPECT_EQ(shares_->open(permits(other), spec()).error().code, Errc::denied);
  EXPECT_EQ(shares_->open(permits(spec(false)), spec(true)).error().code, Errc::denied);
  EXPECT_EQ(shares_->open(permits(spec(true, 0)), spec(true, 2)).error().code, Errc::denied)
      << "no permit for the events";
  EXPECT_TRUE(shares_->states().empty());
}

TEST_F(SharedMemoryTest, refuses_what_a_side_may_not_take) {
  ASSERT_TRUE(open(spec(true, 1, 7)));
  ASSERT_TRUE(open(spec(false, 0, 8)));
  struct Case {
    char const* what;
    std::uint32_t channel;
    ShareSide side;
    ShareView view;
    Errc errc;
  };
  Case const cases[] = {
      {"no such channel", 9, ShareSide::owner, ShareView::memory, Errc::not_found},
      {"no such side", 7, ShareSide{2}, ShareView::memory, Errc::invalid},
      {"no such view", 7, ShareSide::user, ShareView{9}, Errc::invalid},
      {"no events in a channel without", 8, ShareSide::user, ShareView::events, Errc::denied},
      {"the reader first", 8, ShareSide::user, ShareView::memory, Errc::conflict},
  };
  for (Case const& test : cases) {
    ShareClient client;
    Status const joined = join(client, test.side, test.view, test.channel);
    ASSERT_FALSE(joined) << test.what;
    EXPECT_EQ(joined.error().code, test.errc) << test.what;
    EXPECT_FALSE(client.receive_memory(0)) << test.what;
  }
  for (ShareView const view : {ShareView::memory, ShareView::events}) {
    ShareClient first, second;
    ASSERT_TRUE(join(first, ShareSide::owner, view));
    EXPECT_EQ(join(second, ShareSide::owner, view).error().code, Errc::conflict);
  }
  int datagrams[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
  UniqueFd const ours(datagrams[0]);
  EXPECT_EQ(shares_->join(ChannelId(7), ShareSide::user, ShareView::memory, UniqueFd(datagrams[1]))
                .error()
                .code,
            Errc::invalid);
}

TEST_F(SharedMemoryTest, has_a_bound_and_knows_whose_they_are) {
  for (std::uint32_t id = 1; id <= gate::kSharesMax; ++id) {
    ASSERT_TRUE(open(spec(true, 0, id)));
  }
  EXPECT_EQ(open(spec(true, 0, 1)).error().code, Errc::conflict);
  EXPECT_EQ(open(spec(true, 0, 999)).error().code, Errc::too_large);
  EXPECT_EQ(shares_->of_vm(VmName("g2")).size(), gate::kSharesMax);
  EXPECT_TRUE(shares_->of_vm(VmName("g3")).empty());
}

}  // namespace
}  // namespace shamon
