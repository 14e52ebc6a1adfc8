// Claims under a good signature: what a verifier that is trusted, but wrong, could send. Then the
// bytes as a whole token.
#include "attestation/ear.hpp"
#include "base/encoding.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  static PrivateKey const key = PrivateKey::generate(KeyType::ecdsa_p256).value();
  static PublicKey const public_key = key.public_key();
  ByteView const bytes(data, size);
  constexpr WallTime kNow{1'790'000'000'000};
  (void)verify_ear(as_text(bytes), public_key, kNow);
  std::string jwt = to_base64url(as_bytes(R"({"alg":"ES256"})")) + "." + to_base64url(bytes);
  auto const signature = key.sign_ecdsa_raw(HashAlgorithm::sha256, as_bytes(jwt));
  if (signature) (void)verify_ear(jwt + "." + to_base64url(*signature), public_key, kNow);
  return 0;
}
