#include "monitor/monitor.hpp"

#include <variant>

#include <gtest/gtest.h>

#include "monitor/audit_text.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] = R"(coalition test revision 7
type green_t red_t blue_t
label green { share green_t }
label red { share red_t }
label blue { share blue_t }
label lime { share green_t }
wall vendors { red_t blue_t }
allow red -> green udp/9000
)";
constexpr WallTime kNow{1'700'000'000'123};

class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() : monitor_([this](AuditRecord const& record) { audit_.push_back(record); }) {}
  void SetUp() override {
    load(kPolicy);
    audit_.clear();
  }

  void load(std::string const& text) {
    auto build = build_policy("test.policy", text);
    ASSERT_TRUE(build) << build.error().front().describe();
    auto next = std::make_shared<CompiledPolicy const>(std::move(build->compiled));
    auto permit = monitor_.authorize(PolicyLoad{next->revision(), true}, kNow);
    ASSERT_TRUE(permit);
    monitor_.load(std::move(*permit), next);
  }

  LabelId id(char const* name) const {
    return monitor_.policy().find_label(LabelName(name)).value_or(LabelId(999));
  }
  /// The reason on record; checks that exactly one record was written and agrees.
  template <class Op>
  Reason ask(Op op) {
    std::size_t const before = audit_.size();
    auto const permit = monitor_.authorize(std::move(op), kNow);
    EXPECT_EQ(audit_.size(), before + 1);
    AuditRecord const& record = audit_.back();
    EXPECT_EQ(record.hook, Op::kHook);
    EXPECT_EQ(record.verdict == Verdict::allow, permit.has_value());
    EXPECT_EQ(record.time, kNow);
    EXPECT_EQ(record.revision, monitor_.revision());
    if (permit) {
      EXPECT_EQ(permit->revision(), monitor_.revision());
    } else {
      EXPECT_EQ(permit.error().record.reason, record.reason);
    }
    return record.reason;
  }
  Reason start(char const* vm, char const* label) {
    return ask(VmStart{VmName(vm), id(label), true});
  }
  void stop(char const* vm) {
    auto const permit = monitor_.authorize(VmStop{VmName(vm), LabelId(0)}, kNow);
    ASSERT_TRUE(permit);
    monitor_.stopped(*permit);
  }

  std::vector<AuditRecord> audit_;
  Monitor monitor_;
};

TEST_F(MonitorTest, EveryHookAnswersAsItsTableSays) {
  HostName const peer("shype2");
  VmName const a("a");
  VmName const b("b");
  auto known = id("green");
  auto unknown = id("nobody");
  EXPECT_EQ(ask(VmDefine{a, known}), Reason::label_known);
  EXPECT_EQ(ask(VmDefine{a, unknown}), Reason::unknown_label);
  EXPECT_EQ(ask(VmStart{a, known, false}), Reason::image_not_verified);
  EXPECT_EQ(ask(VmStart{a, unknown, true}), Reason::unknown_label);
  EXPECT_EQ(ask(VmStart{a, known, true}), Reason::no_wall);
  EXPECT_EQ(ask(VmStop{b, unknown}), Reason::releases);
  EXPECT_EQ(ask(PortAttach{a, known, PortId(1), {}}), Reason::label_known);
  EXPECT_EQ(ask(PortAttach{b, unknown, PortId(1), {}}), Reason::unknown_label);
  EXPECT_EQ(ask(MemoryShare{a, known, b, id("lime"), true}), Reason::common_type);
  EXPECT_EQ(ask(MemoryShare{a, known, b, id("red"), false}), Reason::no_common_type);
  EXPECT_EQ(ask(EventBind{a, known, b, known}), Reason::same_label);
  EXPECT_EQ(ask(EventBind{b, id("red"), a, known}), Reason::no_common_type);
  EXPECT_EQ(ask(DeviceAssign{a, known, "disk", id("lime")}), Reason::common_type);
  EXPECT_EQ(ask(DeviceAssign{a, known, "disk", id("blue")}), Reason::no_common_type);
  AssociationId const sa(4);
  EXPECT_EQ(ask(AssociationOpen{sa, peer, known, false, true}), Reason::peer_not_member);
  EXPECT_EQ(ask(AssociationOpen{sa, peer, known, true, false}), Reason::peer_not_attested);
  EXPECT_EQ(ask(AssociationOpen{sa, peer, unknown, true, true}), Reason::unknown_label);
  EXPECT_EQ(ask(AssociationOpen{sa, peer, known, true, true}), Reason::label_known);
  EXPECT_EQ(ask(AssociationClose{sa, peer, unknown}), Reason::releases);
  EXPECT_EQ(ask(FlowOut{PortId(1), id("red"), known, {17, 9000}}), Reason::allow_statement);
  EXPECT_EQ(ask(FlowOut{PortId(1), id("red"), known, {17, 9001}}), Reason::service_not_allowed);
  EXPECT_EQ(ask(FlowIn{sa, id("lime"), PortId(1), known, {6, 80}}), Reason::common_type);
  EXPECT_EQ(ask(FlowIn{sa, known, PortId(1), id("red"), {17, 9000}}), Reason::no_common_type);
  EXPECT_EQ(ask(PolicyLoad{Revision(8), false}), Reason::policy_incompatible);
  EXPECT_EQ(ask(PolicyLoad{Revision(7), true}), Reason::policy_not_newer);
  EXPECT_EQ(ask(PolicyLoad{Revision(8), true}), Reason::policy_newer);
  EXPECT_EQ(ask(VmMigrate{b, known, peer, true, false}), Reason::peer_not_attested);
  EXPECT_EQ(ask(VmMigrate{b, unknown, peer, false, true}), Reason::unknown_label);
  EXPECT_EQ(ask(VmMigrate{b, known, peer, false, true}), Reason::label_known);
  EXPECT_EQ(ask(VmMigrate{b, known, peer, true, true}), Reason::no_wall);
}

TEST_F(MonitorTest, WithoutAPolicyOnlyReleasesAndALoadAreAllowed) {
  Monitor fresh([](AuditRecord const&) {});
  EXPECT_FALSE(fresh.authorize(VmDefine{VmName("a"), LabelId(0)}, kNow));
  EXPECT_FALSE(fresh.authorize(VmStart{VmName("a"), LabelId(0), true}, kNow));
  EXPECT_FALSE(fresh.authorize(FlowOut{PortId(1), LabelId(0), LabelId(0), {}}, kNow));
  EXPECT_FALSE(fresh.authorize(PolicyLoad{Revision(0), true}, kNow));
  EXPECT_TRUE(fresh.authorize(VmStop{VmName("a"), LabelId(0)}, kNow));
  EXPECT_TRUE(fresh.authorize(PolicyLoad{Revision(1), true}, kNow));
}

TEST_F(MonitorTest, TheWallHoldsFromPermitToStop) {
  EXPECT_EQ(start("r", "red"), Reason::no_wall);  // the permit alone, before started()
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall);
  EXPECT_EQ(audit_.back().statement.value(), 7u) << "the wall's statement";
  EXPECT_EQ(ask(VmMigrate{VmName("b"), id("blue"), HostName("h"), true, true}),
            Reason::chinese_wall);
  EXPECT_EQ(start("r2", "red"), Reason::no_wall);
  stop("r");
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall) << "r2 still runs";
  stop("r2");
  EXPECT_EQ(start("b", "blue"), Reason::no_wall);
  EXPECT_TRUE(monitor_.running().test(id("blue").value()));
  EXPECT_FALSE(monitor_.running().test(id("red").value()));
}

TEST_F(MonitorTest, TheWallHoldsAcrossSuspendAndResume) {
  EXPECT_EQ(start("r", "red"), Reason::no_wall);
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall);
  stop("r");  // suspended: its memory is a file, and nothing of it runs
  EXPECT_EQ(start("b", "blue"), Reason::no_wall);
  EXPECT_EQ(start("r", "red"), Reason::chinese_wall) << "resuming is a start";
  stop("b");
  EXPECT_EQ(start("r", "red"), Reason::no_wall);
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall);
}

TEST_F(MonitorTest, TheWallHoldsAcrossMigration) {
  HostName const peer("shype2");
  auto leaves = [&] { return VmMigrate{VmName("r"), id("red"), peer, false, true}; };
  auto arrives = [&] { return VmMigrate{VmName("r"), id("red"), peer, true, true}; };
  EXPECT_EQ(start("r", "red"), Reason::no_wall);
  EXPECT_EQ(ask(leaves()), Reason::label_known);
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall) << "until it has left it runs here";
  stop("r");
  EXPECT_EQ(start("b", "blue"), Reason::no_wall);
  EXPECT_EQ(ask(arrives()), Reason::chinese_wall) << "nor may it come back";
  stop("b");
  EXPECT_EQ(ask(arrives()), Reason::no_wall);
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall) << "what is arriving counts";
  stop("r");  // the transfer failed
  EXPECT_EQ(start("b", "blue"), Reason::no_wall);
}

TEST_F(MonitorTest, AnIncomingMigrationReservesItsLabel) {
  EXPECT_EQ(ask(VmMigrate{VmName("r"), id("red"), HostName("h"), true, true}), Reason::no_wall);
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall);
  EXPECT_EQ(ask(VmMigrate{VmName("r"), id("red"), HostName("h"), false, true}), Reason::label_known)
      << "leaving again needs no wall";
}

TEST_F(MonitorTest, AVmThatCameUpAfterItsStopCountsAgain) {
  auto permit = monitor_.authorize(VmStart{VmName("r"), id("red"), true}, kNow);
  ASSERT_TRUE(permit);
  stop("r");
  EXPECT_FALSE(monitor_.running().any());
  monitor_.started(*permit);
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall);
}

TEST_F(MonitorTest, ARunningVmKeepsItsLabel) {
  EXPECT_EQ(start("a", "green"), Reason::no_wall);
  EXPECT_EQ(start("a", "green"), Reason::no_wall) << "resume";
  VmName const a("a");
  VmName const b("b");
  EXPECT_EQ(start("a", "red"), Reason::label_changed);
  EXPECT_EQ(ask(VmDefine{a, id("red")}), Reason::label_changed);
  EXPECT_EQ(ask(PortAttach{a, id("red"), PortId(1), {}}), Reason::label_changed);
  EXPECT_EQ(ask(MemoryShare{a, id("red"), b, id("red"), false}), Reason::label_changed);
  EXPECT_EQ(ask(MemoryShare{b, id("red"), a, id("red"), false}), Reason::label_changed);
  EXPECT_EQ(ask(EventBind{b, id("red"), a, id("red")}), Reason::label_changed);
  EXPECT_EQ(ask(DeviceAssign{a, id("red"), "disk", id("red")}), Reason::label_changed);
  EXPECT_EQ(ask(VmMigrate{a, id("red"), HostName("h"), false, true}), Reason::label_changed);
  stop("a");
  EXPECT_EQ(start("a", "red"), Reason::no_wall);
}

TEST_F(MonitorTest, LabelsKeepTheirMeaningByNameAcrossPolicies) {
  EXPECT_EQ(start("r", "red"), Reason::no_wall);
  load(
      "coalition test revision 8\ntype x_t red_t blue_t\nlabel new { share x_t }\n"
      "label blue { share blue_t }\nlabel red { share red_t }\nwall vendors { red_t blue_t }\n");
  EXPECT_TRUE(monitor_.orphans().empty());
  EXPECT_EQ(start("b", "blue"), Reason::chinese_wall);
  EXPECT_EQ(start("r", "red"), Reason::no_wall);
}

TEST_F(MonitorTest, WhileAnOrphanRunsNothingStarts) {
  EXPECT_EQ(start("r", "red"), Reason::no_wall);
  load("coalition test revision 8\ntype green_t\nlabel green { share green_t }\n");
  ASSERT_EQ(monitor_.orphans().size(), 1u);
  EXPECT_EQ(monitor_.orphans()[0].value(), "r");
  EXPECT_EQ(start("g", "green"), Reason::missing_input);
  EXPECT_EQ(ask(PortAttach{VmName("r"), id("green"), PortId(1), {}}), Reason::label_changed);
  stop("r");
  EXPECT_EQ(start("g", "green"), Reason::no_wall);
}

using MonitorDeathTest = MonitorTest;
TEST_F(MonitorDeathTest, APermitForOneRevisionLoadsNoOther) {
  auto permit = monitor_.authorize(PolicyLoad{Revision(9), true}, kNow);
  ASSERT_TRUE(permit);
  auto build = build_policy("p", "coalition test revision 8\n");
  ASSERT_TRUE(build);
  auto next = std::make_shared<CompiledPolicy const>(std::move(build->compiled));
  EXPECT_DEATH(monitor_.load(std::move(*permit), next), "assertion failed");
}

TEST_F(MonitorTest, RecordsReadAsTheirExamples) {
  auto record = [&] { return audit_.back(); };
  ask(FlowOut{PortId(3), id("red"), id("green"), {6, 22}});
  EXPECT_EQ(describe(record(), monitor_.policy()),
            "denied flow_out red -> green tcp/22 (port 3): service not allowed; test.policy:8 "
            "revision 7");
  ask(FlowOut{PortId(3), id("green"), id("red"), {6, 22}});
  AuditRecord named = record();
  named.subject = "vm-green";
  named.object = "vm-red";
  EXPECT_EQ(describe(named, monitor_.policy()),
            "denied flow_out green -> red tcp/22 (vm-green -> vm-red): no common type; "
            "test.policy:3 revision 7");
  ask(VmStart{VmName("a"), id("green"), true});
  EXPECT_EQ(describe(record(), monitor_.policy()),
            "allowed vm_start green (a): no wall; test.policy:3 revision 7");
  ask(PolicyLoad{Revision(7), true});
  EXPECT_EQ(describe(record(), monitor_.policy()),
            "denied policy_load (revision 7): policy not newer; revision 7");
  EXPECT_EQ(describe(record(), monitor_.policy(), "spoofed source address"),
            "denied policy_load (revision 7): spoofed source address; revision 7");
}

TEST_F(MonitorTest, NamesFromOutsideCannotForgeARecord) {
  ask(VmStart{VmName("x\nallowed vm_start\" tclass=evil"), id("green"), false});
  std::string const text = describe(audit_.back(), monitor_.policy());
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST_F(MonitorTest, ARecordOfAnotherRevisionIsNotMisread) {
  ask(VmDefine{VmName("a"), id("green")});
  AuditRecord const old = audit_.back();
  load("coalition test revision 8\ntype green_t\nlabel other { share green_t }\n");
  EXPECT_EQ(describe(old, monitor_.policy()), "allowed vm_define ? (a): label known; revision 7");
}

}  // namespace
}  // namespace shamon
