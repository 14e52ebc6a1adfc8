// The ciphers on one core: batches of 32 packets, by engine, cipher and packet size.
#include <benchmark/benchmark.h>

#include "crypto/aead_engine.hpp"
#include "crypto/hash.hpp"

namespace shamon {
namespace {

void seal(benchmark::State& state) {
  auto const engine = static_cast<AeadEngine>(state.range(0));
  auto const algorithm = static_cast<AeadAlgorithm>(state.range(1));
  auto const size = static_cast<std::size_t>(state.range(2));
  auto cipher = create_aead_cipher(engine, algorithm, random_bytes(aead_material_bytes(algorithm)));
  if (!cipher) return state.SkipWithError(cipher.error().message.c_str());
  constexpr std::size_t kBatch = 32;
  std::vector<Bytes> data(kBatch, Bytes(size)), tags(kBatch, Bytes(kAeadTagBytes));
  Bytes const aad(8), iv(8);
  std::vector<AeadJob> batch;
  for (std::size_t i = 0; i < kBatch; ++i) batch.push_back({aad, iv, data[i], tags[i]});
  for (auto _ : state) (*cipher)->seal(batch);
  state.SetLabel(std::string(aead_engine_name(engine)) + " " + to_string(algorithm));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBatch * size));
}
BENCHMARK(seal)->ArgsProduct({{0, 1}, {1, 2, 3}, {64, 1400, 65'000}});

}  // namespace
}  // namespace shamon
