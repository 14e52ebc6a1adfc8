// A signature that parses can be given to verification without harm.
#include <cstdlib>

#include "measurement/limits.hpp"
#include "measurement/quote.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  static PrivateKey const key = *PrivateKey::generate(KeyType::ecdsa_p256);
  static PublicKey const ak = key.public_key();
  Result<TpmSignature> const signature = parse_tpm_signature({data, size});
  if (!signature) {
    if (!signature.error().offset || *signature.error().offset > size) std::abort();
    return 0;
  }
  if (signature->signature.size() > kRsaBytesMax) std::abort();
  if (signature->r.size() > kEcCoordinateBytesMax) std::abort();
  Bytes const message{1, 2, 3};
  if (verify_quote(ak, message, {data, size}, {})) std::abort();
  return 0;
}
