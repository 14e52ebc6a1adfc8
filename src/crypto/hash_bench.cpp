// The cost of one PCR extend and of one measured digest, per algorithm.
#include <benchmark/benchmark.h>

#include "crypto/hash.hpp"

namespace shamon {
namespace {

void extend(benchmark::State& state) {
  auto const algorithm = static_cast<HashAlgorithm>(state.range(0));
  Digest pcr = Digest::zero(algorithm);
  Digest const event = Digest::ones(algorithm);
  for (auto _ : state) pcr = hash_pair(algorithm, pcr.bytes(), event.bytes());
  benchmark::DoNotOptimize(pcr);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(extend)->Arg(0x0004)->Arg(0x000b)->Arg(0x000c);

void hash_bytes(benchmark::State& state) {
  Bytes const data(static_cast<std::size_t>(state.range(0)), 7);
  for (auto _ : state) benchmark::DoNotOptimize(sha256(data));
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hash_bytes)->Arg(55)->Arg(64)->Arg(1 << 20);

}  // namespace
}  // namespace shamon
