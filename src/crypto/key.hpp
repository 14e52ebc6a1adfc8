// Signature keys: ECDSA P-256/P-384 and RSA. Private keys never leave their object but as PKCS#8
// PEM for the daemon's own state folder.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

struct evp_pkey_st;

namespace shamon {

enum class KeyType : std::uint8_t { ecdsa_p256, ecdsa_p384, rsa };
enum class SignatureScheme : std::uint8_t { ecdsa, rsassa_pkcs1, rsapss };

class PublicKey {
 public:
  static Result<PublicKey> from_pem(std::string_view pem);
  static Result<PublicKey> from_spki_der(ByteView der);
  /// Affine coordinates, big endian, as a TPMT_PUBLIC holds them.
  static Result<PublicKey> from_ec_point(KeyType curve, ByteView x, ByteView y);
  static Result<PublicKey> from_rsa(ByteView modulus, std::uint32_t exponent);

  KeyType type() const noexcept;
  Bytes spki_der() const;
  std::string pem() const;
  Digest spki_sha256() const { return sha256(spki_der()); }

  /// True if `signature` signs `message`. ECDSA: DER-encoded ECDSA-Sig-Value.
  bool verify(SignatureScheme scheme, HashAlgorithm hash, ByteView message,
              ByteView signature) const noexcept;
  /// The same for raw ECDSA r ‖ s (each padded to the field size), as TPMs and COSE have it.
  bool verify_ecdsa_raw(HashAlgorithm hash, ByteView message, ByteView r,
                        ByteView s) const noexcept;
  /// RSA-OAEP encryption with SHA-256 or SHA-1 and a zero-terminated label (TPM 2.0 Part 1 B.4).
  Result<Bytes> encrypt_oaep(HashAlgorithm hash, std::string_view label, ByteView plain) const;

  evp_pkey_st* native() const noexcept { return key_.get(); }  ///< for crypto/ only
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) noexcept : key_(std::move(key)) {}

 private:
  std::shared_ptr<evp_pkey_st> key_;
};
bool operator==(PublicKey const& a, PublicKey const& b);

class PrivateKey {
 public:
  static Result<PrivateKey> generate(KeyType type, unsigned rsa_bits = 2048);
  static Result<PrivateKey> from_pem(std::string_view pem);
  std::string pem() const;
  PublicKey public_key() const;
  KeyType type() const noexcept;
  /// ECDSA: DER-encoded; RSA: as the scheme says.
  Result<Bytes> sign(SignatureScheme scheme, HashAlgorithm hash, ByteView message) const;
  /// ECDSA as r ‖ s.
  Result<Bytes> sign_ecdsa_raw(HashAlgorithm hash, ByteView message) const;
  /// RSA-OAEP decryption (for the software TPM of tests and simulation).
  Result<Bytes> decrypt_oaep(HashAlgorithm hash, std::string_view label, ByteView cipher) const;
  /// ECDH shared x coordinate with an ephemeral or peer public key on the same curve.
  Result<Bytes> ecdh_x(PublicKey const& peer) const;
  evp_pkey_st* native() const noexcept { return key_.get(); }  ///< for crypto/ only
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) noexcept : key_(std::move(key)) {}

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace shamon
