// A real gate and its channels: who may share, and what is left when they no longer may. The other
// ends are held by this process, as hypervisors do; with real guests: channel_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "monitor/permit_fixture.hpp"
#include "netns/gate_fixture.hpp"
#include "tunnel/share_fixture.hpp"

namespace shamon::netns {
namespace {

using gate::ShareSide;
using gate::ShareView;

constexpr std::size_t kBytes = 1u << 20;

class GateShareTest : public GateTest {
 protected:
  void SetUp() override {
    GateTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_DONE(lab_->domain(a(), 2, "g3", "green", "10.77.0.3"));
    ASSERT_DONE(lab_->domain(a(), 3, "r1", "red", "10.77.0.4"));
  }

  static ShareSpec between(char const* owner, char const* owner_label, char const* user,
                           char const* user_label) {
    return {ChannelId(5),
            VmName(owner),
            VmName(user),
            LabelName(owner_label),
            LabelName(user_label),
            kBytes,
            1,
            true};
  }
  /// Permits of a monitor that lets everything through: the gate must not.
  Status open(ShareSpec const& spec) {
    LabelId const any = careless_.label("green");
    SharePermits permits{
        careless_.permit(MemoryShare{spec.owner, any, spec.user, any, spec.writable}), {}, {}};
    permits.to_user.emplace(careless_.permit(EventBind{spec.owner, any, spec.user, any}));
    permits.to_owner.emplace(careless_.permit(EventBind{spec.user, any, spec.owner, any}));
    return a().open_share(std::move(permits), spec);
  }
  Status join(ShareClient& client, ShareSide side, ShareView view) {
    return a().join_share(5, side, view, client.take_gate_end());
  }
  void open_and_join() {
    ASSERT_DONE(open(between("g1", "green", "g3", "green")));
    ShareClient owners, users;
    ASSERT_DONE(join(owners, ShareSide::owner, ShareView::memory));
    ASSERT_DONE(join(users, ShareSide::user, ShareView::memory));
    ASSERT_TRUE(owners.receive_memory() && users.receive_memory());
    ASSERT_DONE(join(owner_, ShareSide::owner, ShareView::events));
    ASSERT_DONE(join(user_, ShareSide::user, ShareView::events));
    ours_ = owners.map(kBytes, true);
    theirs_ = users.map(kBytes, true);
    ASSERT_TRUE(ours_ != nullptr && theirs_ != nullptr);
    ours_[9] = 0x42;
    ASSERT_EQ(theirs_[9], 0x42);
    ASSERT_TRUE(owner_.ring(0));
    ASSERT_EQ(user_.hear(1000), 0);
  }
  /// Events over, memory empty, both hung up on, and the host monitor told why.
  void expect_ended(gate::ShareEnd reason) {
    EXPECT_TRUE(eventually([&] { return !a().of<gate::ShareEnded>().empty(); }));
    auto const ended = a().of<gate::ShareEnded>();
    ASSERT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended[0].channel, 5u);
    EXPECT_EQ(ended[0].reason, reason);
    expect_nothing_left();
  }
  void expect_nothing_left() {
    EXPECT_EQ(theirs_[9], 0);
    if (owner_.fd() >= 0) {
      EXPECT_FALSE(owner_.ring(0));
    }
    EXPECT_EQ(user_.hear(200), -2);
    EXPECT_EQ(a().close_share(5).error().code, Errc::not_found);
  }

  PermitFixture careless_;
  ShareClient owner_, user_;  ///< their events
  std::uint8_t* ours_ = nullptr;
  std::uint8_t* theirs_ = nullptr;
};

TEST_F(GateShareTest, one_label_shares_and_it_is_audited) {
  open_and_join();
  ASSERT_TRUE(user_.ring(0));
  EXPECT_EQ(owner_.hear(1000), 0);
  EXPECT_TRUE(a().audited(Hook::memory_share, Verdict::allow, [](gate::Audit const& audit) {
    return std::string_view(audit.subject.data()) == "g1" &&
           std::string_view(audit.object.data()) == "g3" &&
           std::string_view(audit.object_label.data()) == "green";
  }));
  EXPECT_TRUE(a().audited(Hook::event_bind, Verdict::allow));
  a().statistics();
  auto const states = a().of<gate::ShareState>();
  ASSERT_FALSE(states.empty());
  EXPECT_EQ(states.back().rings_of_owner, 1u);
  EXPECT_EQ(states.back().rings_of_user, 1u);
  ASSERT_DONE(a().close_share(5));
  expect_nothing_left();
}

TEST_F(GateShareTest, other_labels_are_refused_by_the_gate_whatever_its_host_monitor_permits) {
  Status const refused = open(between("g1", "green", "r1", "red"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_TRUE(a().audited(Hook::memory_share, Verdict::deny, [](gate::Audit const& audit) {
    return audit.reason == static_cast<std::uint32_t>(Reason::no_common_type) &&
           std::string_view(audit.subject.data()) == "g1" &&
           std::string_view(audit.object_label.data()) == "red";
  }));
  EXPECT_EQ(join(owner_, ShareSide::owner, ShareView::memory).error().code, Errc::not_found);
  EXPECT_FALSE(owner_.receive_memory());
}

TEST_F(GateShareTest, a_vm_has_the_label_of_its_port_and_no_other) {
  Status const lied = open(between("g1", "green", "r1", "green"));
  ASSERT_FALSE(lied);
  EXPECT_EQ(lied.error().code, Errc::denied);
  EXPECT_EQ(open(between("g1", "green", "nobody", "green")).error().code, Errc::not_found);
}

TEST_F(GateShareTest, a_policy_that_no_longer_allows_it_ends_it) {
  open_and_join();
  ASSERT_DONE(a().load_policy(policy(2)));
  EXPECT_EQ(theirs_[9], 0x42) << "the same rules: it stays";
  ASSERT_DONE(
      a().load_policy("coalition test revision 3\n"
                      "type red_t\n"
                      "label green { }\n"
                      "label red { share red_t }\n"));
  expect_ended(gate::ShareEnd::policy_changed);
}

TEST_F(GateShareTest, a_vm_without_a_port_has_no_channel) {
  open_and_join();
  ASSERT_DONE(a().detach_port(2));
  expect_ended(gate::ShareEnd::vm_left);
}

TEST_F(GateShareTest, a_hypervisor_that_leaves_ends_it_for_the_other) {
  open_and_join();
  owner_.hang_up();
  expect_ended(gate::ShareEnd::vm_left);
}

TEST_F(GateShareTest, a_new_host_monitor_hears_what_there_is_and_malformed_wishes_are_refused) {
  open_and_join();
  a().disconnect();
  a().events.clear();
  a().connect();
  ASSERT_TRUE(eventually([&] { return !a().of<gate::StateEnd>().empty(); }));
  auto const states = a().of<gate::ShareState>();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].channel, 5u);
  EXPECT_EQ(states[0].size_bytes, kBytes);
  EXPECT_STREQ(states[0].user.data(), "g3");
  ShareSpec odd = between("g1", "green", "g3", "green");
  odd.size_bytes = 5000;
  EXPECT_EQ(open(odd).error().code, Errc::invalid);
  odd = between("g1", "green", "g/3", "green");
  EXPECT_EQ(open(odd).error().code, Errc::invalid);
  EXPECT_EQ(open(between("g1", "green", "g3", "green")).error().code, Errc::conflict);
  EXPECT_EQ(a().join_share(5, ShareSide::owner, ShareView::memory, UniqueFd()).error().code,
            Errc::invalid);
}

}  // namespace
}  // namespace shamon::netns
