// A TPM as we need it. Two implementations: tpm/esys_tpm (any TPM 2.0 through tpm2-tss) and the
// software attester that simulations and benches with thousands of members use
// (attestation/soft_tpm.hpp).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/x509.hpp"
#include "measurement/quote.hpp"

namespace shamon {

/// An attestation key: public area, and the private part wrapped by its TPM or kept under a handle.
struct AttestationKey {
  Bytes public_area;         ///< TPM2B_PUBLIC
  Bytes private_area;        ///< TPM2B_PRIVATE; empty if persistent
  std::uint32_t handle = 0;  ///< persistent handle or 0
};

struct CredentialBlob {
  Bytes id_object;
  Bytes encrypted_secret;
};  ///< TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET
struct SignedQuote {
  Bytes attest;
  Bytes signature;
};

class Tpm {
 public:
  virtual ~Tpm() = default;
  /// TPM2B_PUBLIC of the EK: the persistent one, else made from the TCG template. swtpm_setup and
  /// most manufacturers provide RSA-2048 and P-384 (EK Credential Profile templates L-1, H-3);
  /// P-256 (L-2) is made on demand.
  virtual Result<Bytes> ek_public(KeyType type) = 0;
  /// From NV index 0x1c00002 (RSA), 0x1c0000a (P-256), 0x1c00016 (P-384); nothing if absent.
  virtual Result<std::optional<Certificate>> ek_certificate(KeyType type) = 0;
  /// A restricted signing key, ECDSA P-256 or RSASSA-2048 with SHA-256: a child of the owner
  /// hierarchy's storage primary, which is derived anew each time, so that the blob stays loadable
  /// after a reboot. Errors: `unsupported` for P-384.
  virtual Result<AttestationKey> create_ak(KeyType type) = 0;
  /// Replaces an attestation key under that handle. Errors: `conflict` if it holds any other key.
  virtual Result<AttestationKey> persist_ak(AttestationKey const& key, std::uint32_t handle) = 0;
  /// The secret, if the credential was made for this AK and this EK. Errors: `tpm`, `malformed`.
  virtual Result<Bytes> activate_credential(KeyType ek, AttestationKey const& ak,
                                            CredentialBlob const& blob) = 0;
  /// Errors: `too_large` over 64 bytes of qualifying data, `tpm`.
  virtual Result<SignedQuote> quote(AttestationKey const& ak, ByteView qualifying_data,
                                    PcrSelection const& pcrs) = 0;
  /// Values in ascending order of index. Errors: `unsupported` if the bank is not active.
  virtual Result<std::vector<Digest>> read_pcrs(PcrSelection const& pcrs) = 0;
  virtual Result<std::vector<HashAlgorithm>> active_banks() = 0;
  /// Extends every given bank. Errors: `invalid` if an active bank is left out.
  virtual Status extend(PcrIndex pcr, std::vector<Digest> const& digests) = 0;
};

/// Opens a TPM for a few operations: connects now, flushes and disconnects in the destructor,
/// because swtpm serves one client at a time. `tcti` as tpm2-tss has it: "swtpm:path=/x",
/// "device:/dev/tpmrm0".
Result<std::unique_ptr<Tpm>> open_tpm(std::string const& tcti);

}  // namespace shamon
