// The two ways an AEAD is computed. For crypto/ only; a test forces either.
#pragma once

#include "crypto/aead.hpp"

namespace shamon {

enum class AeadEngine : std::uint8_t { ipsec_mb, openssl };

/// The one AeadKey::create uses on this processor.
AeadEngine preferred_aead_engine() noexcept;
/// False where the processor lacks AES-NI or PCLMULQDQ.
bool aead_engine_available(AeadEngine engine) noexcept;
char const* aead_engine_name(AeadEngine engine) noexcept;

/// What an AeadKey holds: one expanded key. Implementations wipe it on destruction.
class AeadCipher {
 public:
  virtual ~AeadCipher() = default;
  virtual void seal(std::span<AeadJob> batch) noexcept = 0;
  virtual void open(std::span<AeadJob> batch) noexcept = 0;
};

/// Errors: `unsupported` if the engine is not available, `invalid` for material (key ‖ salt) of
/// another length than the algorithm's, `crypto`.
Result<std::unique_ptr<AeadCipher>> create_aead_cipher(AeadEngine engine, AeadAlgorithm algorithm,
                                                       std::span<const std::uint8_t> material);

}  // namespace shamon
