#include "crypto/key.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"

namespace shamon {
namespace {

struct SignRow {
  KeyType type;
  SignatureScheme scheme;
  HashAlgorithm hash;
};
constexpr SignRow kSignRows[] = {
    {KeyType::ecdsa_p256, SignatureScheme::ecdsa, HashAlgorithm::sha256},
    {KeyType::ecdsa_p384, SignatureScheme::ecdsa, HashAlgorithm::sha384},
    {KeyType::rsa, SignatureScheme::rsassa_pkcs1, HashAlgorithm::sha256},
    {KeyType::rsa, SignatureScheme::rsapss, HashAlgorithm::sha256},
    {KeyType::rsa, SignatureScheme::rsapss, HashAlgorithm::sha512},
};

PrivateKey const& key_of(KeyType type) {
  static PrivateKey const p256 = *PrivateKey::generate(KeyType::ecdsa_p256);
  static PrivateKey const p384 = *PrivateKey::generate(KeyType::ecdsa_p384);
  static PrivateKey const rsa = *PrivateKey::generate(KeyType::rsa);
  return type == KeyType::rsa ? rsa : type == KeyType::ecdsa_p384 ? p384 : p256;
}

TEST(Key, a_signature_holds_for_its_message_scheme_and_key_only) {
  for (SignRow const& row : kSignRows) {
    SCOPED_TRACE(static_cast<int>(row.type) * 10 + static_cast<int>(row.scheme));
    PrivateKey const& key = key_of(row.type);
    PublicKey const other = PrivateKey::generate(row.type)->public_key();
    Bytes const message = to_bytes("a quote");
    Bytes signature = *key.sign(row.scheme, row.hash, message);
    PublicKey const pub = key.public_key();
    EXPECT_TRUE(pub.verify(row.scheme, row.hash, message, signature));
    EXPECT_FALSE(other.verify(row.scheme, row.hash, message, signature));
    EXPECT_FALSE(pub.verify(row.scheme, row.hash, as_bytes("a quotf"), signature));
    EXPECT_FALSE(pub.verify(row.scheme, HashAlgorithm::sha1, message, signature));
    EXPECT_FALSE(pub.verify(row.scheme, row.hash, message, {}));
    SignatureScheme const wrong = row.scheme == SignatureScheme::rsapss
                                      ? SignatureScheme::rsassa_pkcs1
                                      : SignatureScheme::rsapss;
    EXPECT_FALSE(pub.verify(wrong, row.hash, message, signature));
    signature.back() ^= 1;
    EXPECT_FALSE(pub.verify(row.scheme, row.hash, message, signature));
  }
  EXPECT_EQ(
      key_of(KeyType::rsa).sign(SignatureScheme::ecdsa, HashAlgorithm::sha256, {}).error().code,
      Errc::invalid);
}

TEST(Key, raw_ecdsa_signatures_have_the_size_of_the_field) {
  for (KeyType type : {KeyType::ecdsa_p256, KeyType::ecdsa_p384}) {
    std::size_t const size = type == KeyType::ecdsa_p256 ? 32 : 48;
    PublicKey const pub = key_of(type).public_key();
    Bytes const raw = *key_of(type).sign_ecdsa_raw(HashAlgorithm::sha256, as_bytes("m"));
    ASSERT_EQ(raw.size(), 2 * size);
    ByteView const r = ByteView(raw).first(size), s = ByteView(raw).subspan(size);
    EXPECT_TRUE(pub.verify_ecdsa_raw(HashAlgorithm::sha256, as_bytes("m"), r, s));
    EXPECT_FALSE(pub.verify_ecdsa_raw(HashAlgorithm::sha256, as_bytes("m"), s, r));
    EXPECT_FALSE(pub.verify_ecdsa_raw(HashAlgorithm::sha256, as_bytes("n"), r, s));
    EXPECT_FALSE(pub.verify_ecdsa_raw(HashAlgorithm::sha256, as_bytes("m"), {}, s));
    EXPECT_FALSE(pub.verify_ecdsa_raw(HashAlgorithm::sha256, as_bytes("m"), raw, s));
  }
}

TEST(Key, texts_and_der_bring_the_same_key_back) {
  for (KeyType type : {KeyType::ecdsa_p256, KeyType::ecdsa_p384, KeyType::rsa}) {
    PrivateKey const& key = key_of(type);
    PublicKey const pub = key.public_key();
    EXPECT_EQ(pub.type(), type);
    EXPECT_TRUE(*PublicKey::from_pem(pub.pem()) == pub);
    EXPECT_TRUE(*PublicKey::from_spki_der(pub.spki_der()) == pub);
    EXPECT_TRUE(PrivateKey::from_pem(key.pem())->public_key() == pub);
    EXPECT_EQ(pub.pem().find("PRIVATE"), std::string::npos);
    Bytes const der = pub.spki_der();
    Bytes longer = der;
    longer.push_back(0);
    EXPECT_EQ(PublicKey::from_spki_der(longer).error().offset, der.size());
    EXPECT_EQ(PublicKey::from_spki_der(ByteView(der).first(der.size() - 1)).error().code,
              Errc::malformed);
  }
  EXPECT_EQ(PublicKey::from_pem("").error().code, Errc::malformed);
  EXPECT_EQ(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
                .error()
                .code,
            Errc::malformed);
}

TEST(Key, points_and_moduli_as_a_tpm_gives_them_make_the_key) {
  // SubjectPublicKeyInfo of P-256 ends in 04 ‖ x ‖ y.
  PublicKey const pub = key_of(KeyType::ecdsa_p256).public_key();
  Bytes const der = pub.spki_der();
  ByteView const point = ByteView(der).last(64);
  EXPECT_TRUE(*PublicKey::from_ec_point(KeyType::ecdsa_p256, point.first(32), point.last(32)) ==
              pub);
  Bytes off_curve = to_bytes(point.last(32));
  off_curve[31] ^= 1;
  EXPECT_FALSE(PublicKey::from_ec_point(KeyType::ecdsa_p256, point.first(32), off_curve));
  EXPECT_FALSE(PublicKey::from_ec_point(KeyType::ecdsa_p256, Bytes(33), point.last(32)));
  EXPECT_FALSE(PublicKey::from_ec_point(KeyType::rsa, point.first(32), point.last(32)));
  EXPECT_FALSE(PublicKey::from_ec_point(KeyType::ecdsa_p256, {}, {}));

  // RSA-2048: the modulus stands before 02 03 01 00 01.
  PublicKey const rsa = key_of(KeyType::rsa).public_key();
  Bytes const rsa_der = rsa.spki_der();
  ByteView const modulus = ByteView(rsa_der).last(256 + 5).first(256);
  EXPECT_TRUE(*PublicKey::from_rsa(modulus, 65537) == rsa);
  for (std::uint32_t exponent : {0u, 1u, 2u, 65536u}) {
    EXPECT_FALSE(PublicKey::from_rsa(modulus, exponent)) << exponent;
  }
  EXPECT_EQ(PublicKey::from_rsa(modulus.first(128), 65537).has_value(), false);
  EXPECT_EQ(PublicKey::from_rsa(Bytes(1025, 0xff), 65537).error().code, Errc::too_large);
  EXPECT_EQ(PublicKey::from_rsa(Bytes(255, 0xff), 65537).error().code, Errc::unsupported);
  EXPECT_FALSE(PublicKey::from_rsa({}, 65537));
}

TEST(Key, small_rsa_keys_and_other_curves_are_refused) {
  EXPECT_EQ(PrivateKey::generate(KeyType::rsa, 2047).error().code, Errc::invalid);
  EXPECT_EQ(PrivateKey::generate(KeyType::rsa, 8193).error().code, Errc::invalid);
  // Ed25519, from RFC 8410 §10.1.
  EXPECT_EQ(PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\n"
                                "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                "-----END PUBLIC KEY-----\n")
                .error()
                .code,
            Errc::unsupported);
}

TEST(Key, oaep_opens_with_the_same_label_and_hash_only) {
  PrivateKey const& key = key_of(KeyType::rsa);
  Bytes const secret = random_bytes(32);
  Bytes const cipher = *key.public_key().encrypt_oaep(HashAlgorithm::sha256, "IDENTITY", secret);
  EXPECT_EQ(key.decrypt_oaep(HashAlgorithm::sha256, "IDENTITY", cipher), secret);
  EXPECT_FALSE(key.decrypt_oaep(HashAlgorithm::sha256, "DUPLICATE", cipher));
  EXPECT_FALSE(key.decrypt_oaep(HashAlgorithm::sha1, "IDENTITY", cipher));
  EXPECT_FALSE(key.public_key().encrypt_oaep(HashAlgorithm::sha256, "IDENTITY", Bytes(191)));
  EXPECT_TRUE(key.public_key().encrypt_oaep(HashAlgorithm::sha256, "IDENTITY", Bytes(190)));
  EXPECT_FALSE(
      key_of(KeyType::ecdsa_p256).public_key().encrypt_oaep(HashAlgorithm::sha256, "", secret));
}

TEST(Key, two_sides_agree_on_an_ecdh_secret) {
  PrivateKey const a = *PrivateKey::generate(KeyType::ecdsa_p256);
  PrivateKey const b = *PrivateKey::generate(KeyType::ecdsa_p256);
  Bytes const shared = *a.ecdh_x(b.public_key());
  EXPECT_EQ(shared.size(), 32u);
  EXPECT_EQ(b.ecdh_x(a.public_key()), shared);
  EXPECT_FALSE(a.ecdh_x(key_of(KeyType::ecdsa_p384).public_key()));
  EXPECT_FALSE(key_of(KeyType::rsa).ecdh_x(b.public_key()));
}

TEST(Key, verifies_a_quote_a_real_tpm_signed) {
  std::string const folder = SHAMON_SOURCE_DIR "/tests/data/captured/clean/";
  auto pem = read_text_file(folder + "ak-rsa.pem");
  if (!pem) GTEST_SKIP() << "no tests/data/captured";
  Bytes const message = *read_file(folder + "quote1/quote-rsa.msg");
  Bytes const signature = *read_file(folder + "quote1/quote-rsa.sig");
  // TPMT_SIGNATURE: u16 scheme, u16 hash, u16 size, signature.
  ASSERT_EQ(signature.size(), 6u + 256u);
  SignatureScheme const scheme =
      signature[1] == 0x14 ? SignatureScheme::rsassa_pkcs1 : SignatureScheme::rsapss;
  EXPECT_TRUE(PublicKey::from_pem(*pem)->verify(scheme, HashAlgorithm::sha256, message,
                                                ByteView(signature).subspan(6)));
}

}  // namespace
}  // namespace shamon
