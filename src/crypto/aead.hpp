// AES-256-GCM as ESP uses it (RFC 4106): 32-byte key, 4-byte salt, 8-byte explicit IV, 16-byte ICV.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace shamon {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadSaltBytes = 4;
inline constexpr std::size_t kAeadIvBytes = 8;
inline constexpr std::size_t kAeadTagBytes = 16;

/// One packet of a batch. `data` is encrypted or decrypted in place; `tag` is written by seal and
/// read by open; `ok` is set by open.
struct AeadJob {
  std::span<const std::uint8_t> aad;  ///< 8 bytes: SPI ‖ sequence number
  std::span<const std::uint8_t> iv;   ///< 8 bytes, unique per key
  std::span<std::uint8_t> data;
  std::span<std::uint8_t> tag;  ///< 16 bytes
  bool ok = false;
};

/// An expanded key. Uses intel-ipsec-mb where the processor has AES-NI, OpenSSL elsewhere.
class AeadKey {
 public:
  static Result<AeadKey> create(Secret<kAeadKeyBytes> const& key,
                                std::span<const std::uint8_t, kAeadSaltBytes> salt);
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
