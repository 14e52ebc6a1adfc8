#include "policy/some_flow.hpp"

#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

TEST(SomeFlow, is_allowed_where_any_service_is) {
  auto const built = build_policy("test.policy",
                                  "coalition test revision 3\n"
                                  "type green_t red_t blue_t lone_t\n"
                                  "label green { share green_t }\n"
                                  "label twin { share green_t }\n"
                                  "label red { share red_t }\n"
                                  "label blue { share blue_t }\n"
                                  "label lone { share lone_t }\n"
                                  "allow blue -> green udp/9000\n"
                                  "allow red <-> blue tcp/80-90\n"
                                  "allow red -> lone\n");
  ASSERT_TRUE(built.has_value()) << built.error().front().describe();
  struct Row {
    char const* from;
    char const* to;
    bool allowed;
  };
  constexpr Row kRows[] = {
      {"green", "green", true}, {"green", "twin", true},  {"blue", "green", true},
      {"green", "blue", false}, {"red", "blue", true},    {"blue", "red", true},
      {"red", "lone", true},    {"lone", "red", false},   {"green", "red", false},
      {"red", "green", false},  {"none", "green", false}, {"green", "none", false},
  };
  CompiledPolicy const& policy = built->compiled;
  auto const id = [&](char const* name) {
    return policy.find_label(LabelName(name)).value_or(LabelId(kLabelsMax));
  };
  for (Row const& row : kRows) {
    EXPECT_EQ(decide_some_flow(id(row.from), id(row.to), policy).allowed(), row.allowed)
        << row.from << " to " << row.to;
  }
}

TEST(SomeFlow, is_denied_where_levels_bar_the_services_that_are_named) {
  auto const built = build_policy("test.policy",
                                  "coalition test revision 1\n"
                                  "type a_t b_t\n"
                                  "label low { share a_t  secrecy open }\n"
                                  "label high { share b_t  secrecy secret }\n"
                                  "allow low <-> high tcp/1\n");
  ASSERT_TRUE(built.has_value()) << built.error().front().describe();
  CompiledPolicy const& policy = built->compiled;
  LabelId const low = *policy.find_label(LabelName("low"));
  LabelId const high = *policy.find_label(LabelName("high"));
  EXPECT_TRUE(decide_some_flow(low, high, policy).allowed());
  // The `allow` has two ways, but information may go only one.
  Decision const down = decide_some_flow(high, low, policy);
  EXPECT_FALSE(down.allowed());
  EXPECT_EQ(down.reason, Reason::service_not_allowed);
}

}  // namespace
}  // namespace shamon
