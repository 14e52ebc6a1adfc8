#include "policy/compiled_policy.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "policy/decide.hpp"
#include "policy/rules.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] = R"(coalition test revision 7
type a_t b_t
label zebra { share a_t  secrecy secret  integrity high  guard }
label ant { share b_t  wall a_t }
wall w { a_t b_t }
allow zebra <-> ant tcp/443
)";

CompiledPolicy sample() {
  return std::move(build_policy("test.policy", kPolicy)->compiled);
}

PolicyRules small_rules() {
  PolicyRules rules;
  rules.coalition = CoalitionName("c");
  rules.revision = Revision(1);
  rules.type_count = 2;
  for (char const* name : {"a", "b"}) {
    LabelRule rule;
    rule.label.name = LabelName(name);
    rules.labels.push_back(rule);
  }
  rules.statements.push_back({"f", 1, "text"});
  return rules;
}

TEST(CompiledPolicy, KnowsItsNamesAndOrigins) {
  CompiledPolicy const policy = sample();
  EXPECT_EQ(policy.coalition().value(), "test");
  EXPECT_EQ(policy.revision().value(), 7u);
  EXPECT_EQ(policy.label_count(), 2u);
  EXPECT_EQ(policy.find_label(LabelName("zebra")), LabelId(0));
  EXPECT_EQ(policy.find_label(LabelName("ant")), LabelId(1));
  EXPECT_EQ(policy.find_label(LabelName("bee")), std::nullopt);
  EXPECT_EQ(policy.label_name(LabelId(1)).value(), "ant");
  EXPECT_EQ(policy.label_name(LabelId(2)).value(), "?");
  EXPECT_EQ(policy.origin(StatementId(6)).text, "allow zebra <-> ant tcp/443");
  EXPECT_EQ(policy.origin(StatementId(6)).line, 6u);
  EXPECT_EQ(policy.origin(StatementId(0)).line, 0u);
  EXPECT_EQ(policy.origin(StatementId(7)).line, 0u);
}

struct BoundRow {
  char const* what;
  std::function<void(PolicyRules&)> change;
  std::optional<Errc> error;
};

TEST(CompiledPolicy, EveryBoundAndIndexOfTheRulesIsChecked) {
  auto allow = [](std::uint16_t from, std::uint16_t to, std::uint32_t statement) {
    return AllowRule{LabelId(from), LabelId(to), false, 17, 1, 1, StatementId(statement)};
  };
  BoundRow const rows[] = {
      {"nothing changed", [](auto&) {}, {}},
      {"the last statement", [](auto& r) { r.labels[0].statement = StatementId(1); }, {}},
      {"a statement beyond", [](auto& r) { r.labels[0].statement = StatementId(2); },
       Errc::invalid},
      {"the last type", [](auto& r) { r.labels[0].label.share.set(1); }, {}},
      {"a type beyond", [](auto& r) { r.labels[0].label.share.set(2); }, Errc::invalid},
      {"a wall type beyond", [](auto& r) { r.labels[0].label.wall.set(2); }, Errc::invalid},
      {"a wall of types beyond",
       [](auto& r) {
         r.walls.push_back({TypeSet().set(2), StatementId(1)});
       },
       Errc::invalid},
      {"a wall with a statement beyond",
       [](auto& r) {
         r.walls.push_back({TypeSet().set(1), StatementId(2)});
       },
       Errc::invalid},
      {"an allow to the last label", [&](auto& r) { r.allows.push_back(allow(0, 1, 1)); }, {}},
      {"an allow to a label beyond", [&](auto& r) { r.allows.push_back(allow(0, 2, 1)); },
       Errc::invalid},
      {"an allow from a label beyond", [&](auto& r) { r.allows.push_back(allow(2, 0, 1)); },
       Errc::invalid},
      {"an allow with a statement beyond", [&](auto& r) { r.allows.push_back(allow(0, 1, 2)); },
       Errc::invalid},
      {"a reversed port range",
       [&](auto& r) {
         r.allows.push_back(allow(0, 1, 1));
         r.allows[0].port_low = 2;
       },
       Errc::invalid},
      {"the same name twice", [](auto& r) { r.labels[1].label.name = LabelName("a"); },
       Errc::invalid},
      {"a name that is none", [](auto& r) { r.labels[1].label.name = LabelName("a\nb"); },
       Errc::invalid},
      {"a coalition name that is none", [](auto& r) { r.coalition = CoalitionName("\n"); },
       Errc::invalid},
      {"labels at revision 0", [](auto& r) { r.revision = Revision(0); }, Errc::invalid},
      {"as many types as there may be", [](auto& r) { r.type_count = kTypesMax; }, {}},
      {"one type more", [](auto& r) { r.type_count = kTypesMax + 1; }, Errc::too_large},
      {"as many rules for a pair as there may be",
       [&](auto& r) { r.allows.assign(kRulesPerPairMax, allow(0, 1, 1)); },
       {}},
      {"one rule more for a pair",
       [&](auto& r) { r.allows.assign(kRulesPerPairMax + 1, allow(0, 1, 1)); }, Errc::too_large},
      {"as many walls as there may be", [](auto& r) { r.walls.resize(kWallsMax); }, {}},
      {"one wall more", [](auto& r) { r.walls.resize(kWallsMax + 1); }, Errc::too_large},
      {"as long a statement as there may be",
       [](auto& r) { r.statements[0].text.assign(kStatementBytesMax, 'x'); },
       {}},
      {"one byte more", [](auto& r) { r.statements[0].text.assign(kStatementBytesMax + 1, 'x'); },
       Errc::too_large},
      {"a file name too long",
       [](auto& r) { r.statements[0].file.assign(kFileNameBytesMax + 1, 'x'); }, Errc::too_large},
  };
  for (auto const& row : rows) {
    PolicyRules rules = small_rules();
    row.change(rules);
    auto const compiled = compile(std::move(rules));
    EXPECT_EQ(compiled.has_value(), !row.error.has_value()) << row.what;
    if (!compiled && row.error) {
      EXPECT_EQ(compiled.error().code, *row.error) << row.what;
    }
  }
}

TEST(CompiledPolicy, TheLabelLimitHoldsExactly) {
  for (std::size_t count : {kLabelsMax, kLabelsMax + 1}) {
    PolicyRules rules = small_rules();
    rules.labels.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      rules.labels[i].label.name = LabelName("l" + std::to_string(i));
    }
    EXPECT_EQ(compile(std::move(rules)).has_value(), count == kLabelsMax);
  }
}

TEST(PolicyImage, SurvivesTheRoundTrip) {
  CompiledPolicy const policy = sample();
  Bytes const image = policy.image();
  auto const again = CompiledPolicy::from_image(image);
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_EQ(again->image(), image);
  EXPECT_EQ(again->coalition(), policy.coalition());
  EXPECT_EQ(again->origin(StatementId(3)).text, policy.origin(StatementId(3)).text);
  Request const request{Operation::flow, LabelId(1),  LabelId(0),
                        {6, 40000, 443}, Revision(7), nullptr};
  EXPECT_EQ(decide(request, *again).reason, Reason::allow_statement);
}

TEST(PolicyImage, TheEmptyPolicyHasOneToo) {
  auto const again = CompiledPolicy::from_image(CompiledPolicy().image());
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_EQ(again->label_count(), 0u);
}

TEST(PolicyImage, EveryPrefixAndEveryLongerImageIsRefused) {
  Bytes image = sample().image();
  for (std::size_t size = 0; size < image.size(); ++size) {
    auto const cut = CompiledPolicy::from_image(ByteView(image).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_TRUE(cut.error().offset) << size;
  }
  image.push_back(0);
  EXPECT_FALSE(CompiledPolicy::from_image(image));
}

TEST(PolicyImage, AWrongByteNeverCrashesNorChangesMeaningSilently) {
  Bytes const image = sample().image();
  for (std::size_t i = 0; i < image.size(); ++i) {
    for (int flip : {0x01, 0x80, 0xff}) {
      Bytes changed = image;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ flip);
      auto const policy = CompiledPolicy::from_image(changed);
      // What is accepted must say exactly what its bytes say.
      if (policy) {
        EXPECT_EQ(policy->image(), changed) << i;
      }
    }
  }
}

TEST(PolicyImage, AnotherVersionIsUnsupported) {
  Bytes image = sample().image();
  image[4] = 1;
  auto const policy = CompiledPolicy::from_image(image);
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace shamon
