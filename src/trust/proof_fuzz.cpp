// Proof text: parse, check against the built-in rules, and write again.
#include <cstdint>
#include <cstdlib>

#include "base/bytes.hpp"
#include "trust/proof.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const proof = shamon::parse_proof(shamon::as_text({data, size}));
  if (!proof) return 0;
  (void)shamon::check_proof(*proof, shamon::builtin_rules(), [](auto const&) { return true; });
  auto const again = shamon::parse_proof(shamon::encode_proof(*proof));
  if (!again || !(*again == *proof)) std::abort();
  return 0;
}
