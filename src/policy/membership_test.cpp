#include "policy/membership.hpp"

#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kPolicy[] = R"(coalition test revision 1
label green { }
member host when platform in {debian12-kvm, xen417} and attested within 60s and location in {campus-1}
member host when platform in {lab}
member vm green when image in {client}
member vm green when image in {server, other}
)";

struct HostRow {
  char const* what;
  HostFacts facts;
  bool admitted;
  std::uint32_t statement;
};

TEST(Membership, AMachineIsAdmittedWhenOneStatementHoldsWholly) {
  auto const build = build_policy("p", kPolicy);
  ASSERT_TRUE(build) << build.error().front().describe();
  HostRow const rows[] = {
      {"all clauses", {"xen417", "campus-1", seconds(5)}, true, 2 + 1},
      {"attested just in time", {"xen417", "campus-1", seconds(60)}, true, 3},
      {"attested just too late", {"xen417", "campus-1", seconds(60) + milliseconds(1)}, false, 4},
      {"attested in the future", {"xen417", "campus-1", milliseconds(-1)}, false, 4},
      {"never attested", {"xen417", "campus-1", {}}, false, 4},
      {"another place", {"xen417", "campus-2", seconds(5)}, false, 4},
      {"an unknown place", {"xen417", "", seconds(5)}, false, 4},
      {"the second statement", {"lab", "", {}}, true, 4},
      {"an unknown platform", {"", "campus-1", seconds(5)}, false, 4},
  };
  for (auto const& row : rows) {
    auto const decision = admit_host(*build->document, row.facts);
    EXPECT_EQ(decision.allowed(), row.admitted) << row.what << ": " << decision.reason;
    EXPECT_EQ(decision.statement.value(), row.statement) << row.what;
    EXPECT_EQ(build->compiled.origin(decision.statement).line, row.statement) << row.what;
  }
}

TEST(Membership, TheReasonNamesTheClauseThatFailed) {
  auto const build = build_policy("p", kPolicy);
  ASSERT_TRUE(build);
  auto const& condition = build->document->host_conditions[0];
  EXPECT_EQ(evaluate(condition, {"amiga", "", {}}).reason,
            "platform is 'amiga', not in {debian12-kvm, xen417}");
  EXPECT_EQ(evaluate(condition, {"xen417", "", milliseconds(61500)}).reason,
            "attested 61500ms ago, not within 1m");
  EXPECT_EQ(evaluate(condition, {"xen417", "", seconds(1)}).reason,
            "location is unknown, not in {campus-1}");
}

TEST(Membership, WithoutStatementsNobodyIsAdmitted) {
  PolicyDocument const empty;
  auto const host = admit_host(empty, {"lab", "campus-1", seconds(0)});
  EXPECT_FALSE(host.allowed());
  EXPECT_EQ(host.statement.value(), 0u);
  EXPECT_FALSE(admit_image(empty, LabelName("green"), "client").allowed());
}

TEST(Membership, ImagesOfAllStatementsOfALabelAreAdmitted) {
  auto const build = build_policy("p", kPolicy);
  ASSERT_TRUE(build);
  LabelName const green("green");
  EXPECT_TRUE(admit_image(*build->document, green, "client").allowed());
  EXPECT_TRUE(admit_image(*build->document, green, "other").allowed());
  EXPECT_FALSE(admit_image(*build->document, green, "miner").allowed());
  EXPECT_FALSE(admit_image(*build->document, LabelName("red"), "client").allowed());
}

TEST(Membership, DurationsAreWrittenInTheLargestExactUnit) {
  EXPECT_EQ(to_policy_text(milliseconds(500)), "500ms");
  EXPECT_EQ(to_policy_text(seconds(59)), "59s");
  EXPECT_EQ(to_policy_text(seconds(60)), "1m");
  EXPECT_EQ(to_policy_text(seconds(5400)), "90m");
  EXPECT_EQ(to_policy_text(seconds(86400)), "24h");
}

}  // namespace
}  // namespace shamon
