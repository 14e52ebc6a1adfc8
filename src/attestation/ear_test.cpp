#include "attestation/ear.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace shamon {
namespace {

constexpr WallTime kNow{1'790'000'000'000};

WallTime after_s(std::int64_t seconds) {
  return {kNow.unix_ms + seconds * 1000};
}

class Ear : public ::testing::Test {
 protected:
  void SetUp() override {
    claims_.issued_at = kNow;
    claims_.expires_at = after_s(3600);
    claims_.verifier_developer = "https://example.org/shamon";
    claims_.verifier_build = "0.1";
    claims_.nonce = "bm9uY2U";
    EarAppraisal good;
    good.status = TrustTier::affirming;
    good.vector = {TrustTier::affirming, TrustTier::affirming, TrustTier::affirming,
                   TrustTier::none};
    good.policy_id = "policy:5";
    claims_.submodules["shype1"] = good;
    EarAppraisal bad;
    bad.status = TrustTier::contraindicated;
    bad.vector.executables = TrustTier::contraindicated;
    claims_.submodules["vm/\"quoted\" \n"] = bad;
  }
  /// A token with this payload under a good signature.
  std::string token(std::string const& payload,
                    std::string const& header = R"({"alg":"ES256"})") const {
    std::string jwt = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(payload));
    auto const signature = key_.sign_ecdsa_raw(HashAlgorithm::sha256, as_bytes(jwt)).value();
    return jwt + "." + to_base64url(signature);
  }

  PrivateKey key_ = PrivateKey::generate(KeyType::ecdsa_p256).value();
  EarClaims claims_;
};

TEST_F(Ear, ReadsBackWhatItSigned) {
  std::string const jwt = sign_ear(claims_, key_).value();
  auto const read = verify_ear(jwt, key_.public_key(), kNow);
  ASSERT_TRUE(read) << read.error().describe();
  EXPECT_EQ(read->issued_at, claims_.issued_at);
  EXPECT_EQ(read->expires_at, claims_.expires_at);
  EXPECT_EQ(read->verifier_developer, claims_.verifier_developer);
  EXPECT_EQ(read->verifier_build, claims_.verifier_build);
  EXPECT_EQ(read->nonce, claims_.nonce);
  ASSERT_EQ(read->submodules.size(), 2u);
  for (auto const& [name, appraisal] : claims_.submodules) {
    EarAppraisal const& got = read->submodules.at(name);
    EXPECT_EQ(got.status, appraisal.status);
    EXPECT_EQ(got.vector.executables, appraisal.vector.executables);
    EXPECT_EQ(got.vector.hardware, appraisal.vector.hardware);
    EXPECT_EQ(got.policy_id, appraisal.policy_id);
  }
}

TEST_F(Ear, IsValidFromIssueToExpiryWithAMinuteForClocks) {
  std::string const jwt = sign_ear(claims_, key_).value();
  struct Row {
    std::int64_t at_s;
    bool valid;
  };
  for (Row const& row :
       {Row{-61, false}, Row{-60, true}, Row{0, true}, Row{3599, true}, Row{3600, false}}) {
    auto const read = verify_ear(jwt, key_.public_key(), after_s(row.at_s));
    EXPECT_EQ(read.has_value(), row.valid) << row.at_s;
    if (!row.valid) {
      EXPECT_EQ(read.error().code, Errc::stale);
    }
  }
}

TEST_F(Ear, RefusesAnotherKeyAndAnyAlteredByte) {
  std::string const jwt = sign_ear(claims_, key_).value();
  auto const other = PrivateKey::generate(KeyType::ecdsa_p256).value();
  EXPECT_EQ(verify_ear(jwt, other.public_key(), kNow).error().code, Errc::untrusted);
  for (std::size_t i = 0; i < jwt.size(); i += 7) {
    std::string altered = jwt;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verify_ear(altered, key_.public_key(), kNow)) << i;
  }
}

TEST_F(Ear, RefusesTokensThatAreNoEar) {
  std::string const good =
      R"({"eat_profile":"tag:github.com,2023:veraison/ear","iat":1790000000,"exp":1790000001,)"
      R"("ear.verifier-id":{"developer":"d","build":"b"},"submods":)";
  struct Row {
    char const* what;
    std::string jwt;
    Errc code;
  };
  std::string nested = good + R"({"a":{"ear.status":"affirming","x":)" + std::string(6, '[') +
                       std::string(6, ']') + "}}}";
  Row const rows[] = {
      {"empty", "", Errc::malformed},
      {"two parts", "e30.e30", Errc::malformed},
      {"no signature", token(good + R"({"a":{"ear.status":"affirming"}}})") + "A", Errc::malformed},
      {"algorithm none", token("{}", R"({"alg":"none"})"), Errc::unsupported},
      {"critical header", token("{}", R"({"alg":"ES256","crit":["x"]})"), Errc::unsupported},
      {"not JSON", token("{"), Errc::malformed},
      {"no object", token("[]"), Errc::malformed},
      {"no profile", token("{}"), Errc::unsupported},
      {"no submodule", token(good + "{}}"), Errc::malformed},
      {"submodule without status", token(good + R"({"a":{}}})"), Errc::malformed},
      {"unknown status", token(good + R"({"a":{"ear.status":"splendid"}}})"), Errc::malformed},
      {"status out of range", token(good + R"({"a":{"ear.status":128}}})"), Errc::malformed},
      {"status that wraps", token(good + R"({"a":{"ear.status":18446744073709551614}}})"),
       Errc::malformed},
      {"nested too deeply", token(nested), Errc::too_large},
      {"too long", std::string(65537, 'a'), Errc::too_large},
  };
  for (Row const& row : rows) {
    auto const read = verify_ear(row.jwt, key_.public_key(), kNow);
    ASSERT_FALSE(read) << row.what;
    EXPECT_EQ(read.error().code, row.code) << row.what << ": " << read.error().describe();
  }
  auto const fine = verify_ear(token(good + R"({"a":{"ear.status":2}}})"), key_.public_key(), kNow);
  ASSERT_TRUE(fine) << fine.error().describe();
  EXPECT_EQ(fine->submodules.at("a").status, TrustTier::affirming);
}

TEST_F(Ear, SignsOnlyWithP256AndSomethingToSay) {
  EXPECT_FALSE(sign_ear(claims_, PrivateKey::generate(KeyType::ecdsa_p384).value()));
  claims_.submodules.clear();
  EXPECT_FALSE(sign_ear(claims_, key_));
}

TEST_F(Ear, NamesThatAreNoUtf8DoNotThrow) {
  claims_.submodules["\xff\xfe"] = {};
  auto const jwt = sign_ear(claims_, key_);
  ASSERT_TRUE(jwt);
  EXPECT_TRUE(verify_ear(*jwt, key_.public_key(), kNow));
}

}  // namespace
}  // namespace shamon
