// Key templates: EK as the TCG EK Credential Profile 2.4 Annex B defines them, the storage primary
// and our AKs.
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include "crypto/key.hpp"

namespace shamon {

/// What is fixed for an EK of some type.
struct EkKind {
  TPM2_HANDLE persistent_handle;  ///< where manufacturers and swtpm_setup keep it
  TPM2_HANDLE certificate_index;  ///< NV index of the certificate
  bool with_password;  ///< usable with its empty password; else PolicySecret(endorsement)
};
/// RSA-2048: template L-1; P-256: L-2; P-384: H-3.
EkKind ek_kind(KeyType type) noexcept;
TPM2B_PUBLIC ek_template(KeyType type) noexcept;

/// The parent of our AKs: a P-256 storage primary in the owner hierarchy (TCG SRK template). It is
/// derived from the owner seed, so the same key comes back after every reboot and an AK's blob
/// stays loadable, and nothing needs to be stored in the TPM.
TPM2B_PUBLIC storage_primary_template() noexcept;

/// Restricted signing keys: ECDSA P-256 or RSASSA-2048, both with SHA-256. `type` is not P-384.
TPM2B_PUBLIC ak_template(KeyType type) noexcept;

}  // namespace shamon
