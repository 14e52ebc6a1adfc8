#include "crypto/aead.hpp"

#include "crypto/aead_engine.hpp"

namespace shamon {

struct AeadKey::State {
  std::unique_ptr<AeadCipher> cipher;
};

Result<AeadKey> AeadKey::create(AeadAlgorithm algorithm, std::span<const std::uint8_t> material) {
  auto cipher = create_aead_cipher(preferred_aead_engine(), algorithm, material);
  if (!cipher) return pass(cipher);
  return AeadKey(std::make_unique<State>(State{std::move(*cipher)}));
}

AeadKey::AeadKey(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
AeadKey::AeadKey(AeadKey&&) noexcept = default;
AeadKey& AeadKey::operator=(AeadKey&&) noexcept = default;
AeadKey::~AeadKey() = default;

void AeadKey::seal(std::span<AeadJob> batch) noexcept {
  state_->cipher->seal(batch);
}
void AeadKey::open(std::span<AeadJob> batch) noexcept {
  state_->cipher->open(batch);
}

char const* aead_implementation() noexcept {
  return aead_engine_name(preferred_aead_engine());
}

}  // namespace shamon
