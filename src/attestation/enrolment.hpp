// The authority's side of credential activation (TPM 2.0 Part 1 §24): prove that an AK lives in the
// TPM of an EK.
#pragma once

#include "attestation/tpm.hpp"

namespace shamon {

/// TPM2_MakeCredential in software for RSA-2048 and ECC P-256 EKs with the TCG default templates
/// (AES-128-CFB, SHA-256). `secret` ≤ 32 bytes.
Result<CredentialBlob> make_credential(TpmPublicArea const& ek, ByteView ak_name, ByteView secret);

/// EK certificate → roots, the certificate's key equals the EK public area. Errors: `untrusted`.
Status verify_ek(Certificate const& ek_certificate, TpmPublicArea const& ek,
                 std::vector<Certificate> const& intermediates,
                 std::vector<Certificate> const& roots, WallTime now);

}  // namespace shamon
