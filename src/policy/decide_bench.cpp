// Target T3, full: one decision from the tables, in a small policy and in the largest there may be.
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "policy/decide.hpp"
#include "policy/rules.hpp"

namespace {

using namespace shamon;

CompiledPolicy policy_of(std::size_t labels, std::size_t rules_per_pair) {
  PolicyRules rules;
  rules.coalition = CoalitionName("bench");
  rules.revision = Revision(1);
  rules.type_count = kTypesMax;
  std::mt19937 random(1);
  for (std::size_t i = 0; i < labels; ++i) {
    LabelRule rule;
    rule.label.name = LabelName("l" + std::to_string(i));
    rule.label.share.set(random() % kTypesMax);
    rules.labels.push_back(rule);
  }
  for (std::size_t i = 0; i < labels; ++i) {
    for (std::size_t j = 0; j < rules_per_pair && rules.allows.size() < kAllowRulesMax; ++j) {
      auto const port = static_cast<std::uint16_t>(1000 + 2 * j);
      rules.allows.push_back({LabelId(static_cast<std::uint16_t>(i)),
                              LabelId(static_cast<std::uint16_t>((i + 1) % labels)), false, 17,
                              port, port, StatementId(0)});
    }
  }
  return std::move(compile(std::move(rules)).value());
}

void decide_full(benchmark::State& state) {
  auto const labels = static_cast<std::size_t>(state.range(0));
  auto const rules = static_cast<std::size_t>(state.range(1));
  CompiledPolicy const policy = policy_of(labels, rules);
  std::mt19937 random(2);
  std::vector<Request> requests(4096);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto const from = static_cast<std::uint16_t>(random() % labels);
    // Half of them along an `allow`, with the rule that is tried last.
    auto const to =
        static_cast<std::uint16_t>(i % 2 == 0 ? (from + 1u) % labels : random() % labels);
    auto const port = static_cast<std::uint16_t>(1000 + 2 * (rules - 1));
    requests[i] = {Operation::flow,   LabelId(from), LabelId(to),
                   {17, port, 40000}, Revision(1),   nullptr};
  }
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decide(requests[i], policy));
    i = (i + 1) % requests.size();
  }
}
BENCHMARK(decide_full)->Args({8, 1})->Args({64, 4})->Args({512, 1})->Args({512, 32});

void decide_start(benchmark::State& state) {
  CompiledPolicy const policy = policy_of(512, 1);
  LabelSet running;
  running.set(3);
  Request const request{Operation::start, LabelId(5), {}, {}, Revision(1), &running};
  for (auto _ : state) benchmark::DoNotOptimize(decide(request, policy));
}
BENCHMARK(decide_start);

}  // namespace
