// Policies from text, for the tests of uniting.
#pragma once

#include <gtest/gtest.h>

#include "policy/document.hpp"
#include "policy/unite/unite.hpp"

namespace shamon {

inline std::shared_ptr<PolicyBuild const> build_for_union(std::string const& file,
                                                          std::string const& text) {
  auto build = build_policy(file, text);
  if (!build) {
    for (auto const& diagnostic : build.error()) ADD_FAILURE() << diagnostic.describe();
    return nullptr;
  }
  return std::make_shared<PolicyBuild const>(std::move(*build));
}

/// Files a.policy, b.policy, …
inline std::vector<std::shared_ptr<PolicyBuild const>> policies_for_union(
    std::vector<std::string> const& texts) {
  std::vector<std::shared_ptr<PolicyBuild const>> out;
  for (auto const& text : texts) {
    std::string const file = std::string(1, static_cast<char>('a' + out.size())) + ".policy";
    out.push_back(build_for_union(file, text));
  }
  return out;
}

/// Asks again whatever a conflict shows, and expects it to be so.
inline void expect_example_holds(Conflict const& conflict) {
  auto const& answers = conflict.example.answers;
  EXPECT_FALSE(conflict.example.text.empty()) << conflict.describe();
  for (auto const& answer : answers) {
    Decision const again = ask(answer.question, answer.policy->compiled);
    EXPECT_EQ(again.verdict, answer.decision.verdict) << conflict.describe();
  }
  if (conflict.kind == ConflictKind::goal) {
    for (auto const& step : answers) EXPECT_TRUE(step.decision.allowed()) << conflict.describe();
  } else if (!answers.empty()) {
    ASSERT_EQ(answers.size(), 2u) << conflict.describe();
    EXPECT_NE(answers[0].decision.verdict, answers[1].decision.verdict) << conflict.describe();
  }
}

}  // namespace shamon
