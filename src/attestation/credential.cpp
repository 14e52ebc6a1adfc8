#include "attestation/credential.hpp"

#include "attestation/limits.hpp"
#include "base/assert.hpp"
#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/secret.hpp"
#include "crypto/aes_cfb.hpp"

namespace shamon {
namespace {

constexpr std::uint8_t kZeroIv[16] = {};

std::uint32_t aes_bits(HashAlgorithm hash) noexcept {
  return digest_size(hash) > 32 ? 256 : 128;
}
std::uint32_t hash_bits(HashAlgorithm hash) noexcept {
  return static_cast<std::uint32_t>(digest_size(hash) * 8);
}

/// A key that is derived, used once and wiped.
class DerivedKey {
 public:
  explicit DerivedKey(Bytes bytes) noexcept : bytes_(std::move(bytes)) {}
  DerivedKey(DerivedKey const&) = delete;
  DerivedKey& operator=(DerivedKey const&) = delete;
  ~DerivedKey() { wipe(bytes_); }
  ByteView expose() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

Digest outer_hmac(HashAlgorithm hash, ByteView seed, ByteView encrypted, ByteView name) {
  DerivedKey const key(kdfa(hash, seed, "INTEGRITY", {}, {}, hash_bits(hash)));
  Bytes message = to_bytes(encrypted);
  append(message, name);
  return hmac(hash, key.expose(), message);
}

}  // namespace

Bytes kdfa(HashAlgorithm hash, ByteView key, std::string_view label, ByteView context_u,
           ByteView context_v, std::uint32_t bits) {
  SHAMON_ASSERT(bits % 8 == 0);
  Bytes out;
  for (std::uint32_t counter = 1; out.size() < bits / 8; ++counter) {
    ByteWriter message;
    message.u32be(counter).bytes(as_bytes(label)).u8(0);
    message.bytes(context_u).bytes(context_v).u32be(bits);
    append(out, hmac(hash, key, message.view()).bytes());
  }
  out.resize(bits / 8);
  return out;
}

Bytes kdfe(HashAlgorithm hash_algorithm, ByteView z, std::string_view label, ByteView party_u,
           ByteView party_v, std::uint32_t bits) {
  SHAMON_ASSERT(bits % 8 == 0);
  Bytes out;
  for (std::uint32_t counter = 1; out.size() < bits / 8; ++counter) {
    ByteWriter message;
    message.u32be(counter).bytes(z).bytes(as_bytes(label)).u8(0).bytes(party_u).bytes(party_v);
    append(out, hash(hash_algorithm, message.view()).bytes());
  }
  out.resize(bits / 8);
  return out;
}

Result<EcPoint> ec_point(PublicKey const& key) {
  if (key.type() == KeyType::rsa) return fail(Errc::invalid, "an RSA key has no coordinates");
  std::size_t const field = key.type() == KeyType::ecdsa_p256 ? 32 : 48;
  // RFC 5480 §2.2: the SPKI ends in the uncompressed point 04 ‖ x ‖ y.
  Bytes const der = key.spki_der();
  if (der.size() < 2 * field + 1 || der[der.size() - 2 * field - 1] != 4) {
    return fail(Errc::unsupported, "EC key is not encoded as an uncompressed point");
  }
  auto const y = der.end() - static_cast<std::ptrdiff_t>(field);
  auto const x = y - static_cast<std::ptrdiff_t>(field);
  return EcPoint{Bytes(x, y), Bytes(y, der.end())};
}

Result<Bytes> wrap_credential(HashAlgorithm hash, ByteView seed, ByteView name, ByteView secret) {
  DerivedKey const key(kdfa(hash, seed, "STORAGE", name, {}, aes_bits(hash)));
  ByteWriter plain;
  plain.u16be(static_cast<std::uint16_t>(secret.size())).bytes(secret);
  Bytes clear = std::move(plain).take();
  auto const encrypted = aes_cfb_encrypt(key.expose(), kZeroIv, clear);
  wipe(clear);
  if (!encrypted) return pass(encrypted);
  Digest const integrity = outer_hmac(hash, seed, *encrypted, name);
  ByteWriter out;
  std::size_t const size = 2 + integrity.bytes().size() + encrypted->size();
  out.u16be(static_cast<std::uint16_t>(size));
  out.u16be(static_cast<std::uint16_t>(integrity.bytes().size())).bytes(integrity.bytes());
  out.bytes(*encrypted);
  return std::move(out).take();
}

Result<Bytes> unwrap_credential(HashAlgorithm hash, ByteView seed, ByteView name,
                                ByteView id_object) {
  Cursor cursor(id_object);
  std::size_t const size = cursor.u16be();
  if (cursor.ok() && size != cursor.remaining()) {
    return fail_at(Errc::malformed, 0, "size of the credential");
  }
  ByteView const integrity = cursor.take(cursor.u16be());
  ByteView const encrypted = cursor.rest();
  if (!cursor.ok()) return tl::unexpected<Error>(cursor.truncated("credential"));
  Digest const expected = outer_hmac(hash, seed, encrypted, name);
  if (!equal_constant_time(expected.bytes(), integrity)) {
    return fail(Errc::untrusted, "the credential is not for this key or not for this TPM");
  }
  DerivedKey const key(kdfa(hash, seed, "STORAGE", name, {}, aes_bits(hash)));
  auto const plain = aes_cfb_decrypt(key.expose(), kZeroIv, encrypted);
  if (!plain) return pass(plain);
  Cursor inner(*plain);
  ByteView const secret = inner.take(inner.u16be());
  if (!inner.ok() || !inner.at_end()) return fail(Errc::malformed, "secret of the credential");
  return to_bytes(secret);
}

}  // namespace shamon
