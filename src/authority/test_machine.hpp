// For tests and benches: a coalition in a temporary folder, and machines with software TPMs that
// boot, measure and attest through the code real machines use.
#pragma once

#include <filesystem>

#include <fmt/format.h>
#include <stdlib.h>

#include "attestation/measured_log.hpp"
#include "attestation/soft_tpm.hpp"
#include "authority/core.hpp"
#include "base/assert.hpp"
#include "base/fd.hpp"

namespace shamon {

/// Who makes the machines' TPMs.
struct TestEndorser {
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  Certificate certificate = make();

  Certificate make() const {
    CertificateTemplate what;
    what.common_name = "Test EK CA";
    what.is_ca = true;
    what.not_before = WallTime{0};
    what.not_after = WallTime{4'000'000'000'000};
    return *issue_self_signed(what, key);
  }
};

/// What a machine measures at boot, component and content.
using TestComponents = std::vector<std::pair<std::string, std::string>>;

inline TestComponents good_components() {
  return {{"kernel", "kernel 1"}, {"shamond", "shamond 1"}, {"shamon-gate", "gate 1"}};
}

inline std::vector<ReferenceValueMessage> values_for(TestComponents const& components) {
  std::vector<ReferenceValueMessage> out;
  for (auto const& [component, content] : components) {
    out.push_back({component, "sha256:" + sha256(as_bytes(content)).hex(), true, "test release"});
  }
  return out;
}

inline std::string test_policy(unsigned revision, std::string const& location = "north") {
  return fmt::format(
      "coalition test revision {}\n"
      "type green_t red_t\n"
      "label green {{ share green_t }}\n"
      "label red {{ share red_t }}\n"
      "member host when platform in {{lab}} and attested within 60s and location in {{{}}}\n"
      "member vm green when image in {{client}}\n",
      revision, location);
}

class TestMachine {
 public:
  TestMachine(std::string name, TestEndorser const& endorser, std::string const& folder,
              TestComponents const& components)
      : name_(std::move(name)), log_path_(folder + "/" + name_ + ".log") {
    auto const ok =
        tpm_.issue_ek_certificate(kEk, name_ + " EK", endorser.certificate, endorser.key,
                                  WallTime{0}, WallTime{3'999'999'999'999});
    SHAMON_ASSERT(ok.has_value());
    ak_ = *tpm_.create_ak(KeyType::ecdsa_p256);
    boot(components);
  }

  void boot(TestComponents const& components) {
    tpm_.reboot();
    std::error_code ignored;
    std::filesystem::remove(log_path_, ignored);
    for (auto const& [component, content] : components) measure(component, content);
  }
  void measure(std::string const& component, std::string const& content) {
    auto const ok = measure_component(tpm_, log_path_, PcrIndex{8}, component, as_bytes(content));
    SHAMON_ASSERT(ok.has_value());
  }

  HostName host() const { return HostName(name_); }
  PrivateKey const& tls_key() const noexcept { return tls_key_; }
  Bytes tls_public() const { return tls_key_.public_key().spki_der(); }

  RegisterRequest registration() {
    RegisterRequest out;
    out.host = host();
    out.ek_certificate = (*tpm_.ek_certificate(kEk))->der();
    out.ek_public = *tpm_.ek_public(kEk);
    out.ak_public = ak_.public_area;
    out.platform = "lab";
    out.location = "north";
    out.control = {Ipv4{0x7f000001}, 7001};
    out.tunnel = {Ipv4{0x7f000001}, 7002};
    return out;
  }
  ActivateRequest activation(RegisterChallenge const& challenge) {
    auto secret =
        tpm_.activate_credential(kEk, ak_, {challenge.id_object, challenge.encrypted_secret});
    SHAMON_ASSERT(secret.has_value());
    return {host(), challenge.id, std::move(*secret)};
  }
  EvidenceMessage evidence(ChallengeMessage const& asked, Bytes const& qualifying) {
    tpm_.advance_clock(5);
    Challenge const challenge{
        qualifying, {HashAlgorithm::sha256, asked.pcr_mask}, asked.ima_offset, asked.reset_count};
    auto const evidence = collect_evidence(tpm_, ak_, challenge, {log_path_, ""});
    SHAMON_ASSERT(evidence.has_value());
    return to_message(*evidence);
  }
  JoinRequest join(ChallengeMessage const& asked) {
    Bytes const qualifying = join_qualifying_data(asked.nonce, tls_public());
    return {host(), asked.nonce, tls_public(), evidence(asked, qualifying)};
  }
  EvidenceRequest answer(ChallengeMessage const& asked) {
    return {host(), asked.nonce, evidence(asked, asked.nonce)};
  }
  SoftTpm& tpm() noexcept { return tpm_; }
  void new_ak() { ak_ = *tpm_.create_ak(KeyType::ecdsa_p256); }

 private:
  static constexpr KeyType kEk = KeyType::ecdsa_p256;
  std::string name_, log_path_;
  SoftTpm tpm_;
  AttestationKey ak_;
  PrivateKey tls_key_ = *PrivateKey::generate(KeyType::ecdsa_p256);
};

}  // namespace shamon
