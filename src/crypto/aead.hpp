// Authenticated encryption as ESP uses it: AES-GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "crypto/aead_algorithm.hpp"

namespace shamon {

/// One packet of a batch. `data` is encrypted or decrypted in place; `tag` is written by seal and
/// read by open; `ok` is set by open.
struct AeadJob {
  /// 8 bytes: SPI ‖ sequence number; 12 with extended ones: SPI ‖ high ‖ low (RFC 4106 §5).
  std::span<const std::uint8_t> aad;
  std::span<const std::uint8_t> iv;  ///< 8 bytes, unique per key
  std::span<std::uint8_t> data;
  std::span<std::uint8_t> tag;  ///< 16 bytes
  bool ok = false;
};

/// An expanded key. Uses intel-ipsec-mb where the processor has AES-NI, OpenSSL elsewhere.
class AeadKey {
 public:
  /// `material` is key ‖ salt, aead_material_bytes(algorithm) of it. Errors: `invalid` for any
  /// other length, `crypto`.
  static Result<AeadKey> create(AeadAlgorithm algorithm, std::span<const std::uint8_t> material);
  AeadKey(AeadKey&&) noexcept;
  AeadKey& operator=(AeadKey&&) noexcept;
  ~AeadKey();  ///< wipes the schedule

  void seal(std::span<AeadJob> batch) noexcept;
  /// Decrypts each; where the tag does not match, `ok` is false and `data` is wiped.
  void open(std::span<AeadJob> batch) noexcept;

 private:
  struct State;
  explicit AeadKey(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// "ipsec-mb/vaes_avx2", "openssl": what seal and open run on.
char const* aead_implementation() noexcept;

}  // namespace shamon
