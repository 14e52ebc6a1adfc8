// Attestation results as others read them: an EAT Attestation Result (draft-ietf-rats-ear) in a
// JSON web token signed with ES256 (RFC 7515, RFC 7518 §3.4).
#pragma once

#include <map>
#include <string>

#include "attestation/appraisal.hpp"
#include "base/time.hpp"
#include "crypto/key.hpp"

namespace shamon {

/// AR4SI trustworthiness vector (draft-ietf-rats-ar4si §2.3.5): what of an attester was appraised.
struct TrustVector {
  TrustTier instance_identity = TrustTier::none;
  TrustTier configuration = TrustTier::none;
  TrustTier executables = TrustTier::none;
  TrustTier hardware = TrustTier::none;
};

/// One attester: a machine or a VM.
struct EarAppraisal {
  TrustTier status = TrustTier::none;
  TrustVector vector;
  std::string policy_id;  ///< "ear.appraisal-policy-id"; may be empty
};

struct EarClaims {
  WallTime issued_at;                              ///< "iat", whole seconds
  WallTime expires_at;                             ///< "exp"
  std::string verifier_developer;                  ///< "ear.verifier-id": developer
  std::string verifier_build;                      ///< … and build
  std::string nonce;                               ///< "eat_nonce", base64url; may be empty
  std::map<std::string, EarAppraisal> submodules;  ///< by name of the attester; 1 to 64
};

inline constexpr char kEarProfile[] = "tag:github.com,2023:veraison/ear";

/// Errors: `invalid` if the key is not P-256 or there is no submodule.
Result<std::string> sign_ear(EarClaims const& claims, PrivateKey const& key);

/// Errors: `malformed`, `unsupported` (algorithm, profile), `untrusted` (signature), `stale` when
/// `now` is not between iat and exp, `too_large`.
Result<EarClaims> verify_ear(std::string_view jwt, PublicKey const& key, WallTime now);

/// The appraisal as it stands in an EAR.
EarAppraisal ear_appraisal(AppraisalResult const& result, std::string policy_id);

}  // namespace shamon
