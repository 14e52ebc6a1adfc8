#include "monitor/decision_cache.hpp"

#include <random>

#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

CompiledPolicy policy_of(std::string const& text) {
  return std::move(build_policy("p", text).value().compiled);
}

TEST(DecisionCache, AlwaysSaysWhatDecideSays) {
  std::string text = "coalition c revision 1\ntype a_t b_t\n";
  for (int i = 0; i < 40; ++i) {
    text += "label l" + std::to_string(i) + (i % 3 == 0 ? " { share a_t }\n" : " { }\n");
  }
  for (int i = 0; i < 39; ++i) {
    text += "allow l" + std::to_string(i) + " <-> l" + std::to_string(i + 1) + " tcp/443\n";
  }
  CompiledPolicy const policy = policy_of(text);
  auto cache = std::make_unique<DecisionCache>();
  std::mt19937 random(1);
  auto below = [&](unsigned n) { return static_cast<std::uint16_t>(random() % n); };
  for (int i = 0; i < 200000; ++i) {
    LabelId const from(below(42));
    LabelId const to(below(42));
    Service const service{static_cast<std::uint8_t>(6 + 11 * below(2)),
                          static_cast<std::uint16_t>(442 + below(3)),
                          static_cast<std::uint16_t>(442 + below(3))};
    Decision const cached = cache->flow(from, to, service, policy);
    Decision const full =
        decide({Operation::flow, from, to, service, policy.revision(), nullptr}, policy);
    ASSERT_EQ(cached.verdict, full.verdict);
    ASSERT_EQ(cached.reason, full.reason);
    ASSERT_EQ(cached.statement, full.statement);
  }
}

TEST(DecisionCache, AChangeOfPolicyMakesEveryEntryStale) {
  CompiledPolicy const open = policy_of("coalition c revision 1\ntype t\nlabel a { share t }\n");
  CompiledPolicy const closed = policy_of("coalition c revision 2\ntype t\nlabel a { }\n");
  DecisionCache cache;
  EXPECT_TRUE(cache.flow(LabelId(0), LabelId(0), {6, 80}, open).allowed());
  EXPECT_FALSE(cache.flow(LabelId(0), LabelId(0), {6, 80}, closed).allowed());
}

TEST(DecisionCache, AFreshCacheAnswersForTheEmptyPolicyAsDecideDoes) {
  DecisionCache cache;
  Decision const decision = cache.flow(LabelId(0), LabelId(0), {}, CompiledPolicy());
  EXPECT_FALSE(decision.allowed());
  EXPECT_EQ(decision.reason, Reason::unknown_label);
}

}  // namespace
}  // namespace shamon
