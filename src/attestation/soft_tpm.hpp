// A software attester for simulation and benches, where a process per TPM is out of the question.
// Its keys are in this process's memory and prove nothing about any machine: daemons never use it.
#pragma once

#include <array>
#include <deque>

#include "attestation/tpm.hpp"

namespace shamon {

/// Deterministic but for key generation and nonces: the clock moves when told to. AKs live as long
/// as their object; an AttestationKey's private part is a slot number.
class SoftTpm final : public Tpm {
 public:
  explicit SoftTpm(std::vector<HashAlgorithm> banks = {HashAlgorithm::sha256});

  /// Makes an EK of that type and has it certified, as a manufacturer would.
  Status issue_ek_certificate(KeyType type, std::string const& common_name,
                              Certificate const& issuer, PrivateKey const& issuer_key,
                              WallTime not_before, WallTime not_after);
  void advance_clock(std::uint64_t ms) noexcept { clock_ms_ += ms; }
  /// Reset of the machine: PCRs start anew, the reset counter goes up.
  void reboot();

  Result<Bytes> ek_public(KeyType type) override;
  Result<std::optional<Certificate>> ek_certificate(KeyType type) override;
  Result<AttestationKey> create_ak(KeyType type) override;
  Result<AttestationKey> persist_ak(AttestationKey const& key, std::uint32_t handle) override;
  Result<Bytes> activate_credential(KeyType ek, AttestationKey const& ak,
                                    CredentialBlob const& blob) override;
  Result<SignedQuote> quote(AttestationKey const& ak, ByteView qualifying_data,
                            PcrSelection const& pcrs) override;
  Result<std::vector<Digest>> read_pcrs(PcrSelection const& pcrs) override;
  Result<std::vector<HashAlgorithm>> active_banks() override;
  Status extend(PcrIndex pcr, std::vector<Digest> const& digests) override;

 private:
  struct Ek {
    PrivateKey key;
    Bytes public_area;
    std::optional<Certificate> certificate;
  };
  struct Ak {
    PrivateKey key;
    Bytes public_area;
    Bytes name;
  };
  Result<Ek*> ek(KeyType type);
  Result<Ak const*> find(AttestationKey const& key) const;

  std::vector<PcrBank> banks_;
  std::array<std::optional<Ek>, 3> eks_;
  std::deque<Ak> aks_;
  std::map<std::uint32_t, std::size_t> persistent_;
  std::uint64_t clock_ms_ = 1;
  std::uint32_t reset_count_ = 1;
};

}  // namespace shamon
