#include "crypto/key.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/limits.hpp"
#include "crypto/openssl.hpp"

namespace shamon {
namespace {

using MdCtxPtr = OpensslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcdsaSigPtr = OpensslPtr<ECDSA_SIG, ECDSA_SIG_free>;
using ParamBuilderPtr = OpensslPtr<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using ParamsPtr = OpensslPtr<OSSL_PARAM, OSSL_PARAM_free>;

KeyType type_of(EVP_PKEY const* key) noexcept {
  if (EVP_PKEY_is_a(key, "RSA") == 1) return KeyType::rsa;
  return EVP_PKEY_get_bits(key) == 384 ? KeyType::ecdsa_p384 : KeyType::ecdsa_p256;
}

std::size_t field_size(KeyType type) noexcept {
  return type == KeyType::ecdsa_p384 ? 48 : 32;
}

char const* group_name(KeyType type) noexcept {
  return type == KeyType::ecdsa_p384 ? "P-384" : "P-256";
}

bool fits(KeyType type, SignatureScheme scheme) noexcept {
  return (type == KeyType::rsa) == (scheme != SignatureScheme::ecdsa);
}

/// Sets padding for RSA. TPMs sign PSS with either salt length (TPM 2.0 Part 1 B.7), so the length
/// is read from the signature; we sign with the digest's length.
bool set_scheme(EVP_PKEY_CTX* context, SignatureScheme scheme, bool signing) {
  switch (scheme) {
    case SignatureScheme::ecdsa: return true;
    case SignatureScheme::rsassa_pkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    case SignatureScheme::rsapss:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(
                 context, signing ? RSA_PSS_SALTLEN_DIGEST : RSA_PSS_SALTLEN_AUTO) == 1;
  }
  return false;
}

bool set_oaep(EVP_PKEY_CTX* context, HashAlgorithm hash, std::string_view label) {
  EVP_MD const* md = message_digest(hash);
  if (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context, md) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) != 1) {
    return false;
  }
  // The label includes its terminating zero (TPM 2.0 Part 1 B.4); OpenSSL takes ownership.
  void* copy = OPENSSL_zalloc(label.size() + 1);
  if (copy == nullptr) return false;
  std::copy(label.begin(), label.end(), static_cast<char*>(copy));
  if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, static_cast<int>(label.size() + 1)) != 1) {
    OPENSSL_free(copy);
    return false;
  }
  return true;
}

Result<std::shared_ptr<EVP_PKEY>> key_from_params(char const* algorithm, OSSL_PARAM* params) {
  PkeyCtxPtr const context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* raw = nullptr;
  if (!context || params == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    return fail_openssl(Errc::malformed, std::string(algorithm) + " public key");
  }
  PkeyPtr key(raw);
  if (auto supported = check_supported(key.get()); !supported) return pass(supported);
  return share(std::move(key));
}

template <class Encode>
Bytes to_der(Encode encode) {
  std::uint8_t* raw = nullptr;
  int const size = encode(&raw);
  if (size <= 0) return {};
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  BioPtr const bio = memory_bio(pem);
  if (!bio) return fail(Errc::too_large, "public key PEM");
  PkeyPtr key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr));
  if (!key) return fail_openssl(Errc::malformed, "public key PEM");
  if (auto supported = check_supported(key.get()); !supported) return pass(supported);
  ERR_clear_error();
  return PublicKey(share(std::move(key)));
}

Result<PublicKey> PublicKey::from_spki_der(ByteView der) {
  if (der.size() > kPublicKeyBytesMax) return fail(Errc::too_large, "SubjectPublicKeyInfo");
  std::uint8_t const* at = der.data();
  PkeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key) return fail_openssl(Errc::malformed, "SubjectPublicKeyInfo");
  if (at != der.data() + der.size()) {
    return fail_at(Errc::malformed, static_cast<std::uint64_t>(at - der.data()),
                   "bytes after the SubjectPublicKeyInfo");
  }
  if (auto supported = check_supported(key.get()); !supported) return pass(supported);
  ERR_clear_error();
  return PublicKey(share(std::move(key)));
}

Result<PublicKey> PublicKey::from_ec_point(KeyType curve, ByteView x, ByteView y) {
  std::size_t const size = field_size(curve);
  if (curve == KeyType::rsa || x.size() > size || y.size() > size) {
    return fail(Errc::malformed, "EC point does not fit its curve");
  }
  Bytes point(1 + 2 * size);  // SEC 1 §2.3.3, uncompressed; TPMs may leave out leading zeros
  point[0] = 4;
  std::copy(x.begin(), x.end(), point.begin() + static_cast<std::ptrdiff_t>(1 + size - x.size()));
  std::copy(y.begin(), y.end(), point.end() - static_cast<std::ptrdiff_t>(y.size()));
  ParamBuilderPtr const builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group_name(curve), 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  ParamsPtr const params(OSSL_PARAM_BLD_to_param(builder.get()));
  auto key = key_from_params("EC", params.get());
  if (!key) return pass(key);
  return PublicKey(std::move(*key));
}

Result<PublicKey> PublicKey::from_rsa(ByteView modulus, std::uint32_t exponent) {
  if (modulus.size() * 8 > kRsaBitsMax) return fail(Errc::too_large, "RSA modulus");
  if (exponent < 3 || exponent % 2 == 0) return fail(Errc::malformed, "RSA exponent");
  BignumPtr const n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  BignumPtr const e(BN_new());
  ParamBuilderPtr const builder(OSSL_PARAM_BLD_new());
  if (!n || !e || BN_set_word(e.get(), exponent) != 1 || BN_is_odd(n.get()) == 0 || !builder) {
    return fail(Errc::malformed, "RSA modulus is not odd");
  }
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  ParamsPtr const params(OSSL_PARAM_BLD_to_param(builder.get()));
  auto key = key_from_params("RSA", params.get());
  if (!key) return pass(key);
  return PublicKey(std::move(*key));
}

KeyType PublicKey::type() const noexcept {
  return type_of(key_.get());
}

Bytes PublicKey::spki_der() const {
  return to_der([&](std::uint8_t** out) { return i2d_PUBKEY(key_.get(), out); });
}

std::string PublicKey::pem() const {
  BioPtr const bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), key_.get());
  return bio_text(bio.get());
}

bool PublicKey::verify(SignatureScheme scheme, HashAlgorithm hash, ByteView message,
                       ByteView signature) const noexcept {
  if (!fits(type(), scheme)) return false;
  MdCtxPtr const context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  bool const valid = context &&
                     EVP_DigestVerifyInit(context.get(), &key_context, message_digest(hash),
                                          nullptr, key_.get()) == 1 &&
                     set_scheme(key_context, scheme, false) &&
                     EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                      message.data(), message.size()) == 1;
  if (!valid) ERR_clear_error();
  return valid;
}

bool PublicKey::verify_ecdsa_raw(HashAlgorithm hash, ByteView message, ByteView r,
                                 ByteView s) const noexcept {
  std::size_t const size = field_size(type());
  if (type() == KeyType::rsa || r.size() > size || s.size() > size) return false;
  EcdsaSigPtr const signature(ECDSA_SIG_new());
  BignumPtr big_r(BN_bin2bn(r.data(), static_cast<int>(r.size()), nullptr));
  BignumPtr big_s(BN_bin2bn(s.data(), static_cast<int>(s.size()), nullptr));
  if (!signature || !big_r || !big_s) return false;
  ECDSA_SIG_set0(signature.get(), big_r.release(), big_s.release());
  Bytes const der = to_der([&](std::uint8_t** out) { return i2d_ECDSA_SIG(signature.get(), out); });
  return verify(SignatureScheme::ecdsa, hash, message, der);
}

Result<Bytes> PublicKey::encrypt_oaep(HashAlgorithm hash, std::string_view label,
                                      ByteView plain) const {
  if (type() != KeyType::rsa) return fail(Errc::invalid, "OAEP needs an RSA key");
  PkeyCtxPtr const context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  Bytes cipher(size);
  if (!context || EVP_PKEY_encrypt_init(context.get()) != 1 ||
      !set_oaep(context.get(), hash, label) ||
      EVP_PKEY_encrypt(context.get(), cipher.data(), &size, plain.data(), plain.size()) != 1) {
    return fail_openssl(Errc::crypto, "RSA-OAEP encryption");
  }
  cipher.resize(size);
  return cipher;
}

bool operator==(PublicKey const& a, PublicKey const& b) {
  return EVP_PKEY_eq(a.native(), b.native()) == 1;
}

Result<PrivateKey> PrivateKey::generate(KeyType type, unsigned rsa_bits) {
  if (type == KeyType::rsa && (rsa_bits < kRsaBitsMin || rsa_bits > kRsaBitsMax)) {
    return fail(Errc::invalid, "RSA key of " + std::to_string(rsa_bits) + " bits");
  }
  PkeyPtr key(type == KeyType::rsa ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen(group_name(type)));
  if (!key) return fail_openssl(Errc::crypto, "key generation");
  return PrivateKey(share(std::move(key)));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  BioPtr const bio = memory_bio(pem);
  if (!bio) return fail(Errc::too_large, "private key PEM");
  PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return fail_openssl(Errc::malformed, "private key PEM");
  if (auto supported = check_supported(key.get()); !supported) return pass(supported);
  ERR_clear_error();
  return PrivateKey(share(std::move(key)));
}

std::string PrivateKey::pem() const {
  BioPtr const bio(BIO_new(BIO_s_secmem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return bio_text(bio.get());
}

PublicKey PrivateKey::public_key() const {
  // Through DER: a PublicKey must not carry the private half along.
  return *PublicKey::from_spki_der(
      to_der([&](std::uint8_t** out) { return i2d_PUBKEY(key_.get(), out); }));
}

KeyType PrivateKey::type() const noexcept {
  return type_of(key_.get());
}

Result<Bytes> PrivateKey::sign(SignatureScheme scheme, HashAlgorithm hash, ByteView message) const {
  if (!fits(type(), scheme)) return fail(Errc::invalid, "signature scheme does not fit the key");
  MdCtxPtr const context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  Bytes signature(size);
  if (!context ||
      EVP_DigestSignInit(context.get(), &key_context, message_digest(hash), nullptr, key_.get()) !=
          1 ||
      !set_scheme(key_context, scheme, true) ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return fail_openssl(Errc::crypto, "signature");
  }
  signature.resize(size);
  return signature;
}

Result<Bytes> PrivateKey::sign_ecdsa_raw(HashAlgorithm hash, ByteView message) const {
  auto der = sign(SignatureScheme::ecdsa, hash, message);
  if (!der) return der;
  std::uint8_t const* at = der->data();
  EcdsaSigPtr const signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der->size())));
  int const size = static_cast<int>(field_size(type()));
  Bytes raw(2 * static_cast<std::size_t>(size));
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + size, size) != size) {
    return fail_openssl(Errc::crypto, "ECDSA signature");
  }
  return raw;
}

Result<Bytes> PrivateKey::decrypt_oaep(HashAlgorithm hash, std::string_view label,
                                       ByteView cipher) const {
  if (type() != KeyType::rsa) return fail(Errc::invalid, "OAEP needs an RSA key");
  PkeyCtxPtr const context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  Bytes plain(size);
  if (!context || EVP_PKEY_decrypt_init(context.get()) != 1 ||
      !set_oaep(context.get(), hash, label) ||
      EVP_PKEY_decrypt(context.get(), plain.data(), &size, cipher.data(), cipher.size()) != 1) {
    return fail_openssl(Errc::crypto, "RSA-OAEP decryption");
  }
  plain.resize(size);
  return plain;
}

Result<Bytes> PrivateKey::ecdh_x(PublicKey const& peer) const {
  if (type() == KeyType::rsa || peer.type() != type()) {
    return fail(Errc::invalid, "ECDH needs two keys on one curve");
  }
  PkeyCtxPtr const context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  std::size_t size = field_size(type());
  Bytes secret(size);
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.native()) != 1 ||
      EVP_PKEY_derive(context.get(), secret.data(), &size) != 1) {
    return fail_openssl(Errc::crypto, "ECDH");
  }
  secret.resize(size);
  return secret;
}

}  // namespace shamon
