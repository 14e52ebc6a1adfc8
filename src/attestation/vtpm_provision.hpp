// Before a VM boots: its fresh vTPM gets an attestation key, so that the monitor knows which key it
// gave to which VM.
#pragma once

#include "attestation/tpm.hpp"

namespace shamon {

/// Where shamon-guest finds its key.
inline constexpr std::uint32_t kVtpmAkHandle = 0x81010020;

/// Creates an ECC attestation key in a running TPM (owner authorisation empty) and makes it
/// persistent under kVtpmAkHandle, replacing one that an earlier boot left there. Stop the swtpm
/// afterwards, or hand it to QEMU. Errors: `unreachable`, `tpm`.
Result<AttestationKey> provision_vtpm(std::string const& tcti);

}  // namespace shamon
