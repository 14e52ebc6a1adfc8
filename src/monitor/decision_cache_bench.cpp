// Target T3, cached: one decision of the packet path.
#include <benchmark/benchmark.h>

#include "monitor/decision_cache.hpp"
#include "policy/source.hpp"

namespace {

using namespace shamon;

CompiledPolicy sample() {
  std::string text = "coalition c revision 1\n";
  for (int i = 0; i < 64; ++i) text += "label l" + std::to_string(i) + " { }\n";
  for (int i = 0; i < 63; ++i) {
    text += "allow l" + std::to_string(i) + " <-> l" + std::to_string(i + 1) + " tcp/443\n";
  }
  return std::move(build_policy("bench", text).value().compiled);
}

void decide_cached(benchmark::State& state) {
  CompiledPolicy const policy = sample();
  auto cache = std::make_unique<DecisionCache>();
  std::uint16_t from = 0;
  for (auto _ : state) {
    from = static_cast<std::uint16_t>((from + 1) % 32);
    LabelId const to(static_cast<std::uint16_t>(from + 1));
    benchmark::DoNotOptimize(cache->flow(LabelId(from), to, {6, 443, 40000}, policy));
  }
}
BENCHMARK(decide_cached);

}  // namespace
