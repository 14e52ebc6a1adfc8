#include "operator/cli/exit_code.hpp"

namespace shamon {

int exit_code_of(Error const& error) noexcept {
  switch (error.code) {
    case Errc::malformed:
    case Errc::truncated:
    case Errc::too_large:
    case Errc::unsupported:
    case Errc::invalid: return kExitUsage;
    case Errc::not_found: return kExitNotFound;
    case Errc::conflict: return kExitConflict;
    case Errc::denied: return kExitNotAuthorised;
    case Errc::untrusted: return kExitAttestationFailed;
    case Errc::stale: return kExitStale;
    case Errc::unreachable:
    case Errc::timeout: return kExitUnreachable;
    case Errc::system:
    case Errc::crypto:
    case Errc::tpm:
    case Errc::internal: return kExitInternal;
  }
  return kExitInternal;
}

}  // namespace shamon
