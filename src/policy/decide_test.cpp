#include "policy/decide.hpp"

#include <initializer_list>

#include <gtest/gtest.h>

#include "policy/decision_text.hpp"
#include "policy/service.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] = R"(coalition test revision 7
type green_t results_t red_t blue_t
label green { share green_t }
label grass { share green_t results_t }
label results { share results_t }
label scrubber { guard }
label hermit { }
label red { share red_t }
label blue { share blue_t }
label purple { share red_t blue_t  wall none }
label pink { wall red_t }
wall vendors { red_t blue_t }
allow green -> results udp/9000 icmp
allow green <-> scrubber tcp/443 tcp/8000-8100
allow scrubber <-> results
allow red -> blue
allow scrubber <-> scrubber udp/53
)";

class Decide : public ::testing::Test {
 protected:
  Decide() {
    auto build = build_policy("test.policy", kPolicy);
    if (build) policy_ = std::move(build->compiled);
  }
  void SetUp() override { ASSERT_EQ(policy_.label_count(), 9u) << "the test's policy must build"; }

  LabelId id(char const* name) const {
    return policy_.find_label(LabelName(name)).value_or(LabelId(999));
  }
  Decision ask(Operation operation, char const* a, char const* b, Service service = {}) const {
    return decide({operation, id(a), id(b), service, policy_.revision(), nullptr}, policy_);
  }
  Decision ask_start(char const* a, std::initializer_list<char const*> running) const {
    LabelSet set;
    for (auto label : running) set.set(id(label).value());
    return decide({Operation::start, id(a), {}, {}, policy_.revision(), &set}, policy_);
  }

  CompiledPolicy policy_;
};

struct FlowRow {
  char const* from;
  char const* to;
  Service service;
  Verdict verdict;
  Reason reason;
  std::uint32_t line;  ///< of the statement; 0: none
};

TEST_F(Decide, AFlowNeedsACommonTypeOrAnAllowInItsDirectionAndService) {
  constexpr Verdict kYes = Verdict::allow;
  constexpr Verdict kNo = Verdict::deny;
  FlowRow const rows[] = {
      {"green", "green", {6, 80}, kYes, Reason::same_label, 3},
      {"green", "grass", {6, 80}, kYes, Reason::common_type, 3},
      {"grass", "results", {}, kYes, Reason::common_type, 4},
      {"green", "results", {17, 9000}, kYes, Reason::allow_statement, 13},
      {"green", "results", {17, 8999}, kNo, Reason::service_not_allowed, 13},
      {"green", "results", {17, 9001}, kNo, Reason::service_not_allowed, 13},
      {"green", "results", {17, 9001, 9000}, kNo, Reason::service_not_allowed, 13},
      {"green", "results", {1, 0}, kYes, Reason::allow_statement, 13},
      {"green", "results", {}, kNo, Reason::service_not_allowed, 13},
      {"results", "green", {17, 9000}, kNo, Reason::no_common_type, 5},
      {"results", "green", {17, 40000, 9000}, kNo, Reason::no_common_type, 5},
      {"green", "scrubber", {6, 443}, kYes, Reason::allow_statement, 14},
      {"green", "scrubber", {17, 443}, kNo, Reason::service_not_allowed, 14},
      {"scrubber", "green", {6, 40000, 443}, kYes, Reason::allow_statement, 14},
      {"scrubber", "green", {6, 443, 40000}, kYes, Reason::allow_statement, 14},
      {"scrubber", "green", {6, 40000, 444}, kNo, Reason::service_not_allowed, 14},
      {"green", "scrubber", {6, 7999}, kNo, Reason::service_not_allowed, 14},
      {"green", "scrubber", {6, 8000}, kYes, Reason::allow_statement, 14},
      {"green", "scrubber", {6, 8100}, kYes, Reason::allow_statement, 14},
      {"green", "scrubber", {6, 8101}, kNo, Reason::service_not_allowed, 14},
      {"green", "scrubber", {6, 0}, kNo, Reason::service_not_allowed, 14},
      {"scrubber", "results", {}, kYes, Reason::allow_statement, 15},
      {"results", "scrubber", {47, 0}, kYes, Reason::allow_statement, 15},
      {"red", "blue", {6, 22}, kYes, Reason::allow_statement, 16},
      {"blue", "red", {6, 22}, kNo, Reason::no_common_type, 9},
      {"red", "green", {6, 22}, kNo, Reason::no_common_type, 8},
      {"hermit", "hermit", {6, 22}, kNo, Reason::no_common_type, 7},
      {"scrubber", "scrubber", {17, 53}, kYes, Reason::allow_statement, 17},
      {"scrubber", "scrubber", {6, 53}, kNo, Reason::service_not_allowed, 17},
      {"nobody", "green", {6, 22}, kNo, Reason::unknown_label, 0},
      {"green", "nobody", {6, 22}, kNo, Reason::unknown_label, 0},
  };
  for (auto const& row : rows) {
    Decision const decision = ask(Operation::flow, row.from, row.to, row.service);
    std::string const what = std::string(row.from) + " -> " + row.to + " " + to_string(row.service);
    EXPECT_EQ(decision.verdict, row.verdict) << what;
    EXPECT_EQ(decision.reason, row.reason) << what << ": " << to_string(decision.reason);
    EXPECT_EQ(policy_.origin(decision.statement).line, row.line) << what;
  }
}

TEST_F(Decide, MemoryEventsAndDevicesNeedACommonTypeWhateverIsAllowed) {
  for (auto operation :
       {Operation::share_memory, Operation::bind_event, Operation::assign_device}) {
    EXPECT_TRUE(ask(operation, "green", "grass").allowed()) << to_string(operation);
    EXPECT_TRUE(ask(operation, "grass", "green").allowed()) << to_string(operation);
    EXPECT_TRUE(ask(operation, "green", "green").allowed()) << to_string(operation);
    EXPECT_EQ(ask(operation, "red", "results").reason, Reason::no_common_type);
    bool const own = operation == Operation::assign_device;  // a VM's own disk is no sharing
    EXPECT_EQ(ask(operation, "hermit", "hermit").reason,
              own ? Reason::same_label : Reason::no_common_type);
    EXPECT_EQ(ask(operation, "green", "nobody").reason, Reason::unknown_label);
    EXPECT_EQ(ask(operation, "nobody", "green").reason, Reason::unknown_label);
  }
}

struct StartRow {
  char const* label;
  std::initializer_list<char const*> running;
  Reason reason;
};

TEST_F(Decide, NothingStartsAcrossAWall) {
  StartRow const rows[] = {
      {"red", {}, Reason::no_wall},
      {"red", {"red"}, Reason::no_wall},
      {"red", {"green", "results", "hermit"}, Reason::no_wall},
      {"red", {"blue"}, Reason::chinese_wall},
      {"blue", {"green", "red"}, Reason::chinese_wall},
      {"purple", {"red", "blue"}, Reason::chinese_wall},  // broken already
      {"purple", {"red", "green"}, Reason::no_wall},
      {"red", {"purple"}, Reason::no_wall},
      {"pink", {"blue"}, Reason::chinese_wall},
      {"pink", {"red"}, Reason::no_wall},
      {"nobody", {}, Reason::unknown_label},
  };
  for (auto const& row : rows) {
    Decision const decision = ask_start(row.label, row.running);
    EXPECT_EQ(decision.reason, row.reason) << row.label;
    EXPECT_EQ(decision.allowed(), row.reason == Reason::no_wall) << row.label;
    if (row.reason == Reason::chinese_wall) {
      EXPECT_EQ(policy_.origin(decision.statement).line, 12u);
    }
  }
}

TEST_F(Decide, AStartThatCannotBeJudgedIsDenied) {
  Request request{Operation::start, id("red"), {}, {}, policy_.revision(), nullptr};
  EXPECT_EQ(decide(request, policy_).reason, Reason::missing_input);
  LabelSet running;
  running.set(policy_.label_count());  // just outside: a label this policy does not know
  request.running = &running;
  EXPECT_EQ(decide(request, policy_).reason, Reason::unknown_label);
}

TEST_F(Decide, AssociationsNeedAKnownLabel) {
  EXPECT_EQ(ask(Operation::associate, "green", "green").reason, Reason::label_known);
  EXPECT_TRUE(ask(Operation::associate, "hermit", "hermit").allowed());
  EXPECT_EQ(ask(Operation::associate, "nobody", "green").reason, Reason::unknown_label);
}

TEST_F(Decide, AnotherRevisionIsStale) {
  for (std::uint64_t revision : {0u, 6u, 8u}) {
    Request const request{Operation::flow,    id("green"), id("green"), {},
                          Revision(revision), nullptr};
    EXPECT_EQ(decide(request, policy_).reason, Reason::stale_revision) << revision;
  }
}

TEST_F(Decide, AnUnknownOperationIsDenied) {
  Decision const decision = ask(static_cast<Operation>(200), "green", "green");
  EXPECT_FALSE(decision.allowed());
  EXPECT_EQ(decision.reason, Reason::unknown_operation);
}

constexpr char kLevels[] = R"(coalition levels revision 1
type t_t
category a b
label open { share t_t }
label secret { share t_t  secrecy secret }
label secret_a { share t_t  secrecy secret {a} }
label open_b { share t_t  secrecy open {b} }
label high { share t_t  integrity high }
label high_a { share t_t  integrity high {a} }
label apart { secrecy internal  integrity medium }
label apart_too { secrecy internal  integrity medium }
label guard_low { share t_t  guard }
label guard_top { share t_t  secrecy secret {a b}  integrity high {a b}  guard }
allow open -> apart udp/1
allow apart <-> apart_too
allow apart -> open udp/1
allow secret -> guard_low udp/1
allow guard_low -> high udp/1
allow guard_top <-> guard_low icmp6
)";

struct LevelRow {
  char const* from;
  char const* to;
  Service service;
  Reason reason;
  std::uint32_t line;
};

class DecideLevels : public ::testing::Test {
 protected:
  void SetUp() override {
    auto build = build_policy("levels.policy", kLevels);
    ASSERT_TRUE(build) << build.error().front().describe();
    policy_ = std::move(build->compiled);
  }
  Decision ask(Operation operation, char const* a, char const* b, Service service = {}) const {
    LabelId const from = *policy_.find_label(LabelName(a));
    LabelId const to = *policy_.find_label(LabelName(b));
    return decide({operation, from, to, service, policy_.revision(), nullptr}, policy_);
  }
  CompiledPolicy policy_;
};

TEST_F(DecideLevels, AFlowNeedsLevelsBesidesTheGrant) {
  LevelRow const rows[] = {
      {"open", "secret", {}, Reason::common_type, 4},
      {"secret", "open", {}, Reason::secrecy, 5},
      {"secret", "secret_a", {}, Reason::common_type, 5},
      {"secret_a", "secret", {}, Reason::secrecy, 6},
      {"secret_a", "open_b", {}, Reason::secrecy, 6},
      {"open_b", "secret_a", {}, Reason::secrecy, 7},
      {"high", "open", {}, Reason::common_type, 8},
      {"open", "high", {}, Reason::integrity, 4},
      {"high_a", "high", {}, Reason::common_type, 9},
      {"high", "high_a", {}, Reason::integrity, 8},
      {"secret", "high", {}, Reason::secrecy, 5},
      {"secret", "secret", {}, Reason::same_label, 5},
      {"open", "apart", {17, 1}, Reason::integrity, 4},
      {"open", "apart", {17, 2}, Reason::service_not_allowed, 14},
      {"apart", "open", {17, 1}, Reason::secrecy, 10},
      {"apart", "apart_too", {6, 1}, Reason::allow_statement, 15},
  };
  for (auto const& row : rows) {
    Decision const decision = ask(Operation::flow, row.from, row.to, row.service);
    std::string const what = std::string(row.from) + " -> " + row.to;
    EXPECT_EQ(decision.reason, row.reason) << what << ": " << to_string(decision.reason);
    bool const granted = row.reason == Reason::common_type || row.reason == Reason::same_label ||
                         row.reason == Reason::allow_statement;
    EXPECT_EQ(decision.allowed(), granted) << what;
    EXPECT_EQ(policy_.origin(decision.statement).line, row.line) << what;
  }
}

TEST_F(DecideLevels, AGuardTalksOverAllowOnlyAndThereWithoutLevels) {
  LevelRow const rows[] = {
      {"open", "guard_low", {}, Reason::guard_interface, 12},
      {"guard_low", "open", {}, Reason::guard_interface, 12},
      {"guard_top", "open", {}, Reason::guard_interface, 13},
      {"secret", "guard_low", {17, 1}, Reason::allow_statement, 17},
      {"secret", "guard_low", {17, 2}, Reason::service_not_allowed, 17},
      {"guard_low", "secret", {17, 1}, Reason::guard_interface, 12},
      {"guard_low", "high", {17, 1}, Reason::allow_statement, 18},
      {"guard_top", "guard_low", {58, 0}, Reason::allow_statement, 19},
      {"guard_low", "guard_top", {58, 0}, Reason::allow_statement, 19},
      {"guard_low", "guard_top", {1, 0}, Reason::service_not_allowed, 19},
      {"guard_low", "guard_low", {6, 1}, Reason::same_label, 12},
  };
  for (auto const& row : rows) {
    Decision const decision = ask(Operation::flow, row.from, row.to, row.service);
    std::string const what = std::string(row.from) + " -> " + row.to;
    EXPECT_EQ(decision.reason, row.reason) << what << ": " << to_string(decision.reason);
    EXPECT_EQ(policy_.origin(decision.statement).line, row.line) << what;
  }
}

TEST_F(DecideLevels, WhatInformsBothSidesNeedsLevelsBothWays) {
  struct {
    char const* a;
    char const* b;
    Reason sharing, device;
  } const rows[] = {
      {"open", "open", Reason::same_label, Reason::same_label},
      {"open", "secret", Reason::secrecy, Reason::secrecy},
      {"secret", "open", Reason::secrecy, Reason::secrecy},
      {"open", "high", Reason::integrity, Reason::integrity},
      {"high_a", "high", Reason::integrity, Reason::integrity},
      {"secret", "high", Reason::secrecy, Reason::secrecy},
      {"apart", "apart_too", Reason::no_common_type, Reason::no_common_type},
      {"apart", "apart", Reason::no_common_type, Reason::same_label},
      {"guard_low", "open", Reason::guard_interface, Reason::common_type},
      {"open", "guard_low", Reason::guard_interface, Reason::common_type},
      {"guard_low", "secret", Reason::guard_interface, Reason::secrecy},
      {"guard_low", "guard_top", Reason::guard_interface, Reason::secrecy},
      {"guard_top", "guard_top", Reason::same_label, Reason::same_label},
  };
  for (auto const& row : rows) {
    std::string const what = std::string(row.a) + " and " + row.b;
    EXPECT_EQ(ask(Operation::share_memory, row.a, row.b).reason, row.sharing) << what;
    EXPECT_EQ(ask(Operation::bind_event, row.a, row.b).reason, row.sharing) << what;
    EXPECT_EQ(ask(Operation::assign_device, row.a, row.b).reason, row.device) << what;
  }
}

TEST(DecideEmpty, TheEmptyPolicyDeniesEveryOperation) {
  CompiledPolicy const empty;
  LabelSet const running;
  for (int operation = 0; operation < 8; ++operation) {
    Request const request{
        static_cast<Operation>(operation), LabelId(0), LabelId(0), {}, Revision(0), &running};
    EXPECT_FALSE(decide(request, empty).allowed()) << operation;
  }
}

TEST(DecideStatic, TheDecisionIsSmallAndCannotThrow) {
  static_assert(
      noexcept(decide(std::declval<Request const&>(), std::declval<CompiledPolicy const&>())));
  static_assert(std::is_trivially_copyable_v<Decision>);
  EXPECT_LE(sizeof(Decision), 8u);
}

}  // namespace
}  // namespace shamon
