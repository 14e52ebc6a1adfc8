// How many re-attestations one core verifies: ECC P-256 quote, event log, what is new of the IMA
// log.
#include <cstdlib>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "attestation/appraisal.hpp"
#include "attestation/soft_tpm.hpp"
#include "base/byte_writer.hpp"

namespace shamon {
namespace {

constexpr HashAlgorithm kBank = HashAlgorithm::sha256;
constexpr std::uint32_t kMask = 0x7ff;  // PCR 0–10
constexpr WallTime kNow{1'790'000'000'000};
constexpr std::size_t kBootEvents = 40;
constexpr std::size_t kEntriesBefore = 1000;

template <class T>
T value_or_abort(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "appraisal_bench: {}\n", result.error().describe());
    std::abort();
  }
  return std::move(*result);
}

/// An attester that booted and was attested once, with everything it runs known and trusted.
class Machine {
 public:
  Machine() : ak_(value_or_abort(tpm_.create_ak(KeyType::ecdsa_p256))) {
    boot_log_ = encode_event_log_header({kBank});
    for (std::size_t i = 0; i < kBootEvents; ++i) {
      std::string const component = fmt::format("component-{}", i);
      BootEvent event;
      event.pcr = PcrIndex{static_cast<std::uint8_t>(i % 10)};
      event.type = static_cast<std::uint32_t>(EventType::ipl);
      event.digests = {sha256(as_bytes(component))};
      event.data = encode_component_event_data(component);
      append(boot_log_, encode_event(event));
      extend(event.pcr, event.digests.front());
      reference_.add({component, event.digests.front(), true, "bench", {}});
    }
    for (std::size_t i = 0; i < kEntriesBefore; ++i) run_program(i);
    policy_.require_ima = true;
    policy_.check_ima_files = true;
    area_.emplace(value_or_abort(parse_tpm_public(ak_.public_area)));
    AppraisalResult const first = appraise_now(answer());
    if (!first.accepted) {
      fmt::print(stderr, "appraisal_bench: {}\n", first.findings.front().text);
      std::abort();
    }
    memory_ = first.memory;
  }

  void run_program(std::size_t number) {
    std::string const path = fmt::format("/usr/lib/x86_64-linux-gnu/program-{}", number);
    Digest const file = sha256(as_bytes(path));
    ByteWriter data;
    data.u32le(8 + 32).bytes(as_bytes("sha256:")).u8(0).bytes(file.bytes());
    data.u32le(static_cast<std::uint32_t>(path.size() + 1)).bytes(as_bytes(path)).u8(0);
    ByteWriter entry;
    entry.u32le(10).bytes(hash(HashAlgorithm::sha1, data.view()).bytes());
    entry.u32le(6).bytes(as_bytes("ima-ng"));
    entry.u32le(static_cast<std::uint32_t>(data.view().size())).bytes(data.view());
    append(ima_log_, entry.view());
    extend(PcrIndex{10}, sha256(data.view()));
    reference_.add({"file:" + path, file, true, "bench", {}});
  }

  /// Evidence for the verifier's last challenge: what it does not know of the IMA log yet.
  Evidence answer() {
    SignedQuote quote = value_or_abort(tpm_.quote(ak_, challenge().nonce, challenge().pcrs));
    Evidence evidence;
    evidence.attest = std::move(quote.attest);
    evidence.signature = std::move(quote.signature);
    evidence.event_log = boot_log_;
    evidence.ima_offset = memory_.ima_offset;
    evidence.ima_log = to_bytes(ByteView(ima_log_).subspan(memory_.ima_offset));
    evidence.reset_count = memory_.reset_count;
    return evidence;
  }
  AppraisalResult appraise_now(Evidence const& evidence) const {
    return appraise(evidence, challenge(), *area_, reference_, policy_, memory_, kNow);
  }
  /// The bare check inside: the signature over the quote.
  bool verify_signature_only(Evidence const& evidence) const {
    Result<TpmSignature> const s = parse_tpm_signature(evidence.signature);
    return s && area_->key.verify_ecdsa_raw(s->hash, evidence.attest, s->r, s->s);
  }

 private:
  Challenge challenge() const {
    return Challenge{Bytes(32, 0x5a), {kBank, kMask}, memory_.ima_offset, memory_.reset_count};
  }
  void extend(PcrIndex pcr, Digest const& digest) {
    if (!tpm_.extend(pcr, {digest})) std::abort();
  }

  SoftTpm tpm_;
  AttestationKey ak_;
  std::optional<TpmPublicArea> area_;
  Bytes boot_log_, ima_log_;
  ReferenceValues reference_;
  AppraisalPolicy policy_;
  AppraisalMemory memory_;
};

void reattest(benchmark::State& state) {
  Machine machine;
  auto const added = static_cast<std::size_t>(state.range(0));
  for (std::size_t i = 0; i < added; ++i) machine.run_program(kEntriesBefore + i);
  Evidence const evidence = machine.answer();
  for (auto _ : state) {
    AppraisalResult const result = machine.appraise_now(evidence);
    if (!result.accepted) {
      state.SkipWithError("evidence was refused");
      break;
    }
    benchmark::DoNotOptimize(result.memory.ima_entries);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(reattest)->ArgName("new_entries")->Arg(0)->Arg(10)->Arg(1000);

void bare_signature(benchmark::State& state) {
  Machine machine;
  Evidence const evidence = machine.answer();
  for (auto _ : state) {
    if (!machine.verify_signature_only(evidence)) {
      state.SkipWithError("signature was refused");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bare_signature);

}  // namespace
}  // namespace shamon
