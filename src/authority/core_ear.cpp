// The proof of acceptance as others read it: an EAT attestation result.
#include "attestation/ear.hpp"
#include "authority/core.hpp"

namespace shamon {

/// Valid as long as a membership certificate issued now. Signed with the key of the status feed,
/// which every member has.
Result<std::string> AuthorityCore::issue_ear(Member const& member, AppraisalResult const& result,
                                             WallTime now) const {
  EarClaims claims;
  claims.issued_at = now;
  claims.expires_at = now + options_.membership;
  claims.verifier_developer = "shamon";
  claims.verifier_build = "shamon-authority";
  claims.submodules[member.record.host.value()] = ear_appraisal(result, trust_.policy_digest());
  return sign_ear(claims, keys_.status_key);
}

}  // namespace shamon
