#include "attestation/soft_tpm.hpp"

#include <gtest/gtest.h>

#include "attestation/enrolment.hpp"

namespace shamon {
namespace {

constexpr WallTime kNow{1'790'000'000'000};

TEST(SoftTpm, ActivatesCredentialsOfEveryEkTypeAndOnlyForItsAk) {
  SoftTpm tpm;
  auto const ak = tpm.create_ak(KeyType::ecdsa_p256).value();
  auto const other = tpm.create_ak(KeyType::ecdsa_p256).value();
  auto const name = parse_tpm_public(ak.public_area).value().name;
  for (KeyType type : {KeyType::ecdsa_p256, KeyType::ecdsa_p384, KeyType::rsa}) {
    auto const ek = parse_tpm_public(tpm.ek_public(type).value());
    ASSERT_TRUE(ek) << ek.error().describe();
    Bytes const secret = random_bytes(32);
    auto const blob = make_credential(*ek, name, secret).value();
    EXPECT_EQ(tpm.activate_credential(type, ak, blob).value(), secret);
    auto const refused = tpm.activate_credential(type, other, blob);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::untrusted);
    SoftTpm elsewhere;
    auto const foreign = elsewhere.create_ak(KeyType::ecdsa_p256).value();
    EXPECT_FALSE(elsewhere.activate_credential(type, foreign, blob));
  }
}

TEST(SoftTpm, QuotesVerifyWithBothAkTypes) {
  SoftTpm tpm({HashAlgorithm::sha1, HashAlgorithm::sha256});
  for (KeyType type : {KeyType::ecdsa_p256, KeyType::rsa}) {
    auto const ak = tpm.create_ak(type).value();
    auto const area = parse_tpm_public(ak.public_area).value();
    EXPECT_TRUE(is_restricted_signing_key(area));
    PcrSelection const pcrs{HashAlgorithm::sha256, 0xffffff};
    auto const quote = tpm.quote(ak, Bytes(64, 5), pcrs).value();
    auto const verified = verify_quote(area.key, quote.attest, quote.signature, Bytes(64, 5));
    ASSERT_TRUE(verified) << verified.error().describe();
    EXPECT_EQ(verified->statement().selections, std::vector{pcrs});
    EXPECT_EQ(tpm.quote(ak, Bytes(65, 5), pcrs).error().code, Errc::too_large);
    auto const kept = tpm.persist_ak(ak, 0x81010020).value();
    EXPECT_TRUE(tpm.quote(kept, Bytes(8, 5), pcrs));
  }
  EXPECT_FALSE(tpm.quote({{}, {}, 0x81010021}, Bytes(8, 5), {HashAlgorithm::sha256, 1}));
}

TEST(SoftTpm, ItsEkCertificateVerifiesAgainstTheCaThatIssuedIt) {
  auto const ca_key = PrivateKey::generate(KeyType::ecdsa_p256).value();
  CertificateTemplate what;
  what.common_name = "simulated manufacturer";
  what.is_ca = true;
  what.not_before = WallTime{kNow.unix_ms - 1000};
  what.not_after = WallTime{kNow.unix_ms + 1'000'000};
  auto const ca = issue_self_signed(what, ca_key).value();
  SoftTpm tpm;
  EXPECT_FALSE(tpm.ek_certificate(KeyType::ecdsa_p256)->has_value());
  ASSERT_TRUE(tpm.issue_ek_certificate(KeyType::ecdsa_p256, "tpm 1", ca, ca_key, what.not_before,
                                       what.not_after));
  auto const certificate = tpm.ek_certificate(KeyType::ecdsa_p256).value().value();
  auto const ek = parse_tpm_public(tpm.ek_public(KeyType::ecdsa_p256).value()).value();
  auto const verified = verify_ek(certificate, ek, {}, {ca}, kNow);
  EXPECT_TRUE(verified) << verified.error().describe();
  SoftTpm other;
  auto const other_ek = parse_tpm_public(other.ek_public(KeyType::ecdsa_p256).value()).value();
  EXPECT_FALSE(verify_ek(certificate, other_ek, {}, {ca}, kNow));
}

TEST(MakeCredential, RefusesSecretsAndNamesOutsideTheirBounds) {
  SoftTpm tpm;
  auto const ek = parse_tpm_public(tpm.ek_public(KeyType::ecdsa_p256).value()).value();
  EXPECT_FALSE(make_credential(ek, Bytes(34), {}));
  EXPECT_TRUE(make_credential(ek, Bytes(34), Bytes(1)));
  EXPECT_TRUE(make_credential(ek, Bytes(34), Bytes(32)));
  EXPECT_FALSE(make_credential(ek, Bytes(34), Bytes(33)));
  EXPECT_FALSE(make_credential(ek, Bytes(21), Bytes(32)));
  EXPECT_FALSE(make_credential(ek, Bytes(67), Bytes(32)));
}

}  // namespace
}  // namespace shamon
