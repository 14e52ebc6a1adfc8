// Bounds of what an attester may send and a verifier will look at.
#pragma once

#include <cstddef>

namespace shamon {

/// TPM2B_DATA holds a TPMT_HA: at most an algorithm and the longest digest; we use the digest only.
inline constexpr std::size_t kQualifyingDataBytesMax = 64;
/// TPM2B_DIGEST of the EK's name algorithm at most; ours are SHA-256 secrets.
inline constexpr std::size_t kCredentialSecretBytesMax = 32;
/// EK certificates are 1–2 KiB; NV areas rarely exceed 4 KiB.
inline constexpr std::size_t kEkCertificateBytesMax = 8192;
/// A name of a component: a role or "file:" and a path.
inline constexpr std::size_t kComponentNameBytesMax = 1024;
/// A TPMS_ATTEST of a quote has about 145 bytes; names and selections can make it longer.
inline constexpr std::size_t kAttestBytesMax = 4096;
/// RSA-4096 and a header.
inline constexpr std::size_t kSignatureBytesMax = 1024;
/// Event logs of real firmware have 20–100 KiB.
inline constexpr std::size_t kEvidenceEventLogBytesMax = 4u << 20;
/// About 50,000 IMA entries.
inline constexpr std::size_t kEvidenceImaLogBytesMax = 8u << 20;
/// A verdict names this many findings and stops there: more do not help anyone.
inline constexpr std::size_t kFindingsMax = 64;
/// A JSON web token of an attestation result.
inline constexpr std::size_t kEarBytesMax = 64u << 10;
inline constexpr std::size_t kEarDepthMax = 8;
inline constexpr std::size_t kEarSubmodulesMax = 64;

}  // namespace shamon
