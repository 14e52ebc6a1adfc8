// A TPM quote as bytes: TPMS_ATTEST and TPMT_SIGNATURE (TPM 2.0 Part 2 §10.12, §11.3) and
// TPM2B_PUBLIC (§12.2), parsed with our own cursor so that verifiers need no TPM library.
#pragma once

#include <optional>
#include <vector>

#include "crypto/key.hpp"
#include "measurement/pcr.hpp"

namespace shamon {

struct QuoteStatement {    ///< TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE
  Bytes extra_data;        ///< qualifyingData: at most 64 bytes
  Bytes qualified_signer;  ///< TPM2B_NAME
  std::uint64_t clock_ms = 0;
  std::uint32_t reset_count = 0;
  std::uint32_t restart_count = 0;
  bool clock_safe = false;
  std::uint64_t firmware_version = 0;
  std::vector<PcrSelection> selections;
  Bytes pcr_digest;
};
/// Checks magic and type. Errors with offset.
Result<QuoteStatement> parse_quote(ByteView tpms_attest);

struct TpmSignature {
  SignatureScheme scheme = SignatureScheme::ecdsa;
  HashAlgorithm hash = HashAlgorithm::sha256;
  Bytes signature;  ///< RSA
  Bytes r, s;       ///< ECDSA
};
Result<TpmSignature> parse_tpm_signature(ByteView tpmt_signature);

struct TpmPublicArea {
  PublicKey key;
  std::uint32_t attributes = 0;  ///< TPMA_OBJECT
  HashAlgorithm name_algorithm = HashAlgorithm::sha256;
  Bytes name;  ///< nameAlg ‖ H(TPMT_PUBLIC)
};
/// Accepts TPM2B_PUBLIC or a bare TPMT_PUBLIC; ECC P-256/P-384 and RSA.
Result<TpmPublicArea> parse_tpm_public(ByteView bytes);
bool is_restricted_signing_key(
    TpmPublicArea const& area) noexcept;  ///< fixedTPM, fixedParent, restricted, sign, !decrypt

/// Only verify_quote makes one: a statement whose signature, nonce and shape were checked.
class VerifiedQuote {
 public:
  QuoteStatement const& statement() const noexcept { return statement_; }

 private:
  friend Result<VerifiedQuote> verify_quote(PublicKey const&, ByteView, ByteView, ByteView);
  explicit VerifiedQuote(QuoteStatement s) : statement_(std::move(s)) {}
  QuoteStatement statement_;
};
/// Errors: `untrusted` with which of signature, nonce … failed; `malformed` with offset.
Result<VerifiedQuote> verify_quote(PublicKey const& ak, ByteView tpms_attest,
                                   ByteView tpmt_signature, ByteView expected_qualifying_data);
/// The digest a TPM computes over selected PCR values, in selection order.
Digest digest_of_pcrs(HashAlgorithm hash, std::vector<Digest> const& values);

}  // namespace shamon
