// Digests: one type per algorithm, named as the TCG names them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.hpp"
#include "base/encoding.hpp"

namespace shamon {

/// Values are TPM_ALG_ID (TCG Algorithm Registry); they stand in logs and quotes as such.
enum class HashAlgorithm : std::uint16_t {
  sha1 = 0x0004,
  sha256 = 0x000b,
  sha384 = 0x000c,
  sha512 = 0x000d,
};
std::string_view to_string(HashAlgorithm algorithm) noexcept;  ///< "sha256"
Result<HashAlgorithm> parse_hash_algorithm(std::string_view name);
std::size_t digest_size(HashAlgorithm algorithm) noexcept;  ///< bytes: 20, 32, 48, 64

/// A digest of some algorithm: at most 64 bytes, no allocation. Equality is constant time.
class Digest {
 public:
  Digest() noexcept = default;
  static Result<Digest> from_bytes(HashAlgorithm algorithm, ByteView bytes);
  static Digest zero(HashAlgorithm algorithm) noexcept;  ///< all bits clear, full size
  static Digest ones(HashAlgorithm algorithm) noexcept;  ///< all bits set, full size

  HashAlgorithm algorithm() const noexcept { return algorithm_; }
  ByteView bytes() const noexcept { return {bytes_.data(), digest_size(algorithm_)}; }
  std::string hex() const { return to_hex(bytes()); }
  friend bool operator==(Digest const& a, Digest const& b) noexcept;
  /// An order for sorted containers; not constant time, for public values only.
  friend bool operator<(Digest const& a, Digest const& b) noexcept;

 private:
  HashAlgorithm algorithm_ = HashAlgorithm::sha256;
  std::array<std::uint8_t, 64> bytes_{};
};

Digest hash(HashAlgorithm algorithm, ByteView data) noexcept;
/// hash(a ‖ b): the PCR extend operation, without an allocation.
Digest hash_pair(HashAlgorithm algorithm, ByteView a, ByteView b) noexcept;
inline Digest sha256(ByteView data) noexcept {
  return hash(HashAlgorithm::sha256, data);
}
/// Digest of a whole file. Errors: `system`.
Result<Digest> hash_file(HashAlgorithm algorithm, std::string const& path);

/// HMAC (RFC 2104).
Digest hmac(HashAlgorithm algorithm, ByteView key, ByteView data) noexcept;
/// HKDF-SHA256 extract and expand (RFC 5869) into `out` (at most 255·32 bytes).
Status hkdf_sha256(ByteView key, ByteView salt, ByteView info, std::span<std::uint8_t> out);

/// Hashing in pieces.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  Hasher(Hasher&&) noexcept;
  ~Hasher();
  Hasher& update(ByteView data);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Fills with bytes from the operating system's generator.
void fill_random(std::span<std::uint8_t> out);
Bytes random_bytes(std::size_t size);

}  // namespace shamon
