// Against a real software TPM, with tpm2-tools as the second opinion.
#include <gtest/gtest.h>

#include "attestation/enrolment.hpp"
#include "attestation/tpm.hpp"
#include "attestation/tpm/swtpm_fixture.hpp"
#include "attestation/vtpm_provision.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/hash.hpp"
#include "measurement/quote.hpp"

namespace shamon {
namespace {

using testing::has_program;
using testing::run_command;
using testing::SwTpm;

constexpr KeyType kEkTypes[] = {KeyType::rsa, KeyType::ecdsa_p256, KeyType::ecdsa_p384};
constexpr KeyType kAkTypes[] = {KeyType::ecdsa_p256, KeyType::rsa};
constexpr std::uint32_t kFirst16 = 0xffff;

class EsysTpm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto const missing = SwTpm::missing(); !missing.empty()) GTEST_SKIP() << missing;
    auto started = SwTpm::start({.banks = "sha1,sha256"});
    ASSERT_TRUE(started) << started.error().describe();
    swtpm_ = std::move(*started);
    swtpm_->point_tpm2_tools_here();
  }

  std::unique_ptr<Tpm> open() {
    auto tpm = open_tpm(swtpm_->tcti());
    EXPECT_TRUE(tpm) << tpm.error().describe();
    return tpm ? std::move(*tpm) : nullptr;
  }
  std::string file(std::string const& name) const { return swtpm_->folder() + "/" + name; }
  void put(std::string const& name, ByteView content) {
    ASSERT_TRUE(write_file_atomically(file(name), content));
  }
  Bytes get(std::string const& name) { return read_file(file(name)).value_or(Bytes{}); }

  std::unique_ptr<SwTpm> swtpm_;
};

TEST_F(EsysTpm, EkCertificatesVerifyAgainstTheirCaAndMatchTheEk) {
  auto const tpm = open();
  auto const roots =
      Certificate::all_from_pem(read_text_file(swtpm_->root_pem_path()).value()).value();
  auto const issuers =
      Certificate::all_from_pem(read_text_file(swtpm_->issuer_pem_path()).value()).value();
  for (KeyType type : {KeyType::rsa, KeyType::ecdsa_p384}) {
    auto const certificate = tpm->ek_certificate(type);
    ASSERT_TRUE(certificate) << certificate.error().describe();
    ASSERT_TRUE(certificate->has_value());
    auto const ek = parse_tpm_public(tpm->ek_public(type).value());
    ASSERT_TRUE(ek) << ek.error().describe();
    auto const verified = verify_ek(**certificate, *ek, issuers, roots, read_wall_clock());
    EXPECT_TRUE(verified) << verified.error().describe();

    auto const without_root = verify_ek(**certificate, *ek, {}, issuers, WallTime{});
    ASSERT_FALSE(without_root);
    EXPECT_EQ(without_root.error().code, Errc::untrusted);
    auto const other = parse_tpm_public(tpm->ek_public(KeyType::ecdsa_p256).value()).value();
    EXPECT_FALSE(verify_ek(**certificate, other, issuers, roots, read_wall_clock()));
    auto const ak = parse_tpm_public(tpm->create_ak(KeyType::ecdsa_p256)->public_area).value();
    EXPECT_FALSE(verify_ek(**certificate, ak, issuers, roots, read_wall_clock()));
  }
  EXPECT_FALSE(tpm->ek_certificate(KeyType::ecdsa_p256)->has_value());
}

TEST_F(EsysTpm, ActivatesCredentialsForEveryEkAndAkType) {
  auto const tpm = open();
  Bytes const secret = random_bytes(32);
  for (KeyType ek_type : kEkTypes) {
    auto const ek = parse_tpm_public(tpm->ek_public(ek_type).value()).value();
    for (KeyType ak_type : kAkTypes) {
      auto const ak = tpm->create_ak(ak_type);
      ASSERT_TRUE(ak) << ak.error().describe();
      auto const area = parse_tpm_public(ak->public_area).value();
      EXPECT_TRUE(is_restricted_signing_key(area));
      auto const blob = make_credential(ek, area.name, secret);
      ASSERT_TRUE(blob) << blob.error().describe();
      auto const revealed = tpm->activate_credential(ek_type, *ak, *blob);
      ASSERT_TRUE(revealed) << revealed.error().describe();
      EXPECT_EQ(*revealed, secret);
    }
  }
}

TEST_F(EsysTpm, RefusesACredentialMadeForAnotherAkOrAnotherEk) {
  auto const tpm = open();
  auto const ak = tpm->create_ak(KeyType::ecdsa_p256).value();
  auto const other = tpm->create_ak(KeyType::ecdsa_p256).value();
  auto const other_name = parse_tpm_public(other.public_area).value().name;
  auto const name = parse_tpm_public(ak.public_area).value().name;
  for (KeyType ek_type : kEkTypes) {
    auto const ek = parse_tpm_public(tpm->ek_public(ek_type).value()).value();
    auto const blob = make_credential(ek, other_name, Bytes(32, 9)).value();
    auto const revealed = tpm->activate_credential(ek_type, ak, blob);
    ASSERT_FALSE(revealed);
    EXPECT_EQ(revealed.error().code, Errc::tpm);
  }
  auto const rsa = parse_tpm_public(tpm->ek_public(KeyType::rsa).value()).value();
  auto const blob = make_credential(rsa, name, Bytes(32, 9)).value();
  EXPECT_FALSE(tpm->activate_credential(KeyType::ecdsa_p384, ak, blob));
  CredentialBlob cut = blob;
  cut.id_object.pop_back();
  EXPECT_EQ(tpm->activate_credential(KeyType::rsa, ak, cut).error().code, Errc::malformed);
}

TEST_F(EsysTpm, QuotesThatWeAndTpm2CheckquoteAccept) {
  Bytes const nonce = random_bytes(32);
  PcrSelection const pcrs{HashAlgorithm::sha256, kFirst16};
  int index = 0;
  for (KeyType type : kAkTypes) {
    AttestationKey ak;
    SignedQuote quote;
    {
      auto const tpm = open();
      ak = tpm->create_ak(type).value();
      auto made = tpm->quote(ak, nonce, pcrs);
      ASSERT_TRUE(made) << made.error().describe();
      quote = *made;
    }
    auto const area = parse_tpm_public(ak.public_area).value();
    auto const verified = verify_quote(area.key, quote.attest, quote.signature, nonce);
    ASSERT_TRUE(verified) << verified.error().describe();
    ASSERT_EQ(verified->statement().selections.size(), 1u);
    EXPECT_EQ(verified->statement().selections[0], pcrs);
    auto const values = open()->read_pcrs(pcrs).value();
    ASSERT_EQ(values.size(), 16u);
    EXPECT_EQ(to_hex(verified->statement().pcr_digest),
              digest_of_pcrs(HashAlgorithm::sha256, values).hex());
    EXPECT_FALSE(verify_quote(area.key, quote.attest, quote.signature, random_bytes(32)));

    if (!has_program("tpm2_checkquote")) {
      GTEST_SKIP() << "tpm2_checkquote is missing: install the Debian package tpm2-tools";
    }
    std::string const stem = "q" + std::to_string(index++);
    put(stem + ".pem", as_bytes(area.key.pem()));
    put(stem + ".msg", quote.attest);
    put(stem + ".sig", quote.signature);
    auto const checked =
        run_command({"tpm2_checkquote", "-u", file(stem + ".pem"), "-m", file(stem + ".msg"), "-s",
                     file(stem + ".sig"), "-q", to_hex(nonce), "-g", "sha256"},
                    swtpm_->folder());
    EXPECT_EQ(checked.exit_code, 0) << checked.output;
    auto const refused =
        run_command({"tpm2_checkquote", "-u", file(stem + ".pem"), "-m", file(stem + ".msg"), "-s",
                     file(stem + ".sig"), "-q", to_hex(Bytes(32, 0)), "-g", "sha256"},
                    swtpm_->folder());
    EXPECT_NE(refused.exit_code, 0);
  }
}

TEST_F(EsysTpm, AcceptsWhatTpm2QuoteMakes) {
  if (!has_program("tpm2_quote")) {
    GTEST_SKIP() << "tpm2_quote is missing: install the Debian package tpm2-tools";
  }
  struct Row {
    char const* algorithm;
    char const* scheme;
  };
  for (Row const& row : {Row{"ecc", "ecdsa"}, Row{"rsa", "rsassa"}}) {
    auto run = [&](std::vector<std::string> const& command) {
      auto const done = run_command(command, swtpm_->folder());
      ASSERT_EQ(done.exit_code, 0) << done.output;
    };
    run({"tpm2_createek", "-c", file("ek.ctx"), "-G", "rsa", "-u", file("ek.pub")});
    run({"tpm2_flushcontext", "-t"});
    run({"tpm2_createak", "-C", file("ek.ctx"), "-c", file("ak.ctx"), "-G", row.algorithm, "-g",
         "sha256", "-s", row.scheme, "-u", file("ak.tpub"), "-f", "tss"});
    run({"tpm2_flushcontext", "-t"});
    run({"tpm2_quote", "-c", file("ak.ctx"), "-l", "sha256:0,1,2,10", "-q", "c0ffee", "-m",
         file("quote.msg"), "-s", file("quote.sig"), "-g", "sha256"});
    auto const area = parse_tpm_public(get("ak.tpub"));
    ASSERT_TRUE(area) << area.error().describe();
    auto const verified =
        verify_quote(area->key, get("quote.msg"), get("quote.sig"), *from_hex("c0ffee"));
    ASSERT_TRUE(verified) << verified.error().describe();
    EXPECT_EQ(verified->statement().selections[0],
              (PcrSelection{HashAlgorithm::sha256, 0b100'0000'0111}));
  }
}

TEST_F(EsysTpm, ExtendsEveryActiveBankAndRefusesToLeaveOneOut) {
  auto const tpm = open();
  auto const banks = tpm->active_banks();
  ASSERT_TRUE(banks);
  EXPECT_EQ(*banks, (std::vector{HashAlgorithm::sha1, HashAlgorithm::sha256}));
  Bytes const content = to_bytes("what is measured");
  std::vector<Digest> digests;
  for (HashAlgorithm bank : *banks) digests.push_back(hash(bank, content));
  ASSERT_TRUE(tpm->extend(PcrIndex(23), digests));
  for (Digest const& digest : digests) {
    auto const value = tpm->read_pcrs({digest.algorithm(), 1u << 23}).value();
    ASSERT_EQ(value.size(), 1u);
    EXPECT_EQ(value[0], hash_pair(digest.algorithm(), Digest::zero(digest.algorithm()).bytes(),
                                  digest.bytes()));
  }
  EXPECT_EQ(tpm->extend(PcrIndex(23), {digests[1]}).error().code, Errc::invalid);
  EXPECT_EQ(tpm->extend(PcrIndex(24), digests).error().code, Errc::invalid);
  EXPECT_EQ(tpm->read_pcrs({HashAlgorithm::sha384, 1}).error().code, Errc::unsupported);
}

TEST_F(EsysTpm, LoadsAnAttestationKeyAgainAfterAReboot) {
  AttestationKey const ak = open()->create_ak(KeyType::ecdsa_p256).value();
  Bytes const nonce(20, 1);
  PcrSelection const pcrs{HashAlgorithm::sha256, 1};
  auto const area = parse_tpm_public(ak.public_area).value();
  auto const before = open()->quote(ak, nonce, pcrs).value();
  ASSERT_TRUE(swtpm_->reboot());
  auto const after = open()->quote(ak, nonce, pcrs);
  ASSERT_TRUE(after) << after.error().describe();
  auto const first = verify_quote(area.key, before.attest, before.signature, nonce).value();
  auto const second = verify_quote(area.key, after->attest, after->signature, nonce).value();
  EXPECT_EQ(second.statement().reset_count, first.statement().reset_count + 1);
}

TEST_F(EsysTpm, ServesMoreQuotesThanTheTpmHasSlots) {
  auto const tpm = open();
  auto const ak = tpm->create_ak(KeyType::ecdsa_p256).value();
  for (int i = 0; i < 12; ++i) {
    auto const quote = tpm->quote(ak, Bytes(8, 1), {HashAlgorithm::sha256, 1});
    ASSERT_TRUE(quote) << i << quote.error().describe();
  }
}

TEST_F(EsysTpm, FlushesWhatAnEarlierClientLeftBehind) {
  if (!has_program("tpm2_createprimary")) {
    GTEST_SKIP() << "tpm2_createprimary is missing: install the Debian package tpm2-tools";
  }
  for (int i = 0; i < 3; ++i) {
    auto const made = run_command({"tpm2_createprimary", "-c", file("p.ctx")}, swtpm_->folder());
    ASSERT_EQ(made.exit_code, 0) << made.output;
  }
  auto const ak = open()->create_ak(KeyType::ecdsa_p256);
  EXPECT_TRUE(ak) << ak.error().describe();
}

TEST_F(EsysTpm, ProvisionsAVirtualTpmWithAKeyTheMonitorKnows) {
  auto const ak = provision_vtpm(swtpm_->tcti());
  ASSERT_TRUE(ak) << ak.error().describe();
  EXPECT_EQ(ak->handle, kVtpmAkHandle);
  ASSERT_TRUE(swtpm_->reboot());
  Bytes const nonce(32, 3);
  auto const quote = open()->quote({{}, {}, kVtpmAkHandle}, nonce, {HashAlgorithm::sha256, 1024});
  ASSERT_TRUE(quote) << quote.error().describe();
  auto const area = parse_tpm_public(ak->public_area).value();
  EXPECT_TRUE(is_restricted_signing_key(area));
  EXPECT_TRUE(verify_quote(area.key, quote->attest, quote->signature, nonce));

  auto const again = provision_vtpm(swtpm_->tcti());
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_NE(again->public_area, ak->public_area);
  // The EK's own handle is not given away.
  auto const tpm = open();
  auto const taken = tpm->persist_ak(tpm->create_ak(KeyType::ecdsa_p256).value(), 0x81010001);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::conflict);
}

TEST(EsysTpmConnection, SaysThatATpmIsUnreachable) {
  for (char const* tcti : {"swtpm:path=/nonexistent/sock", "device:/nonexistent", "nosuchtcti"}) {
    auto const tpm = open_tpm(tcti);
    ASSERT_FALSE(tpm) << tcti;
    EXPECT_EQ(tpm.error().code, Errc::unreachable);
  }
}

}  // namespace
}  // namespace shamon
