// What the exit status of `shamon` means. Scripts rely on these numbers.
#pragma once

#include "base/result.hpp"

namespace shamon {

enum ExitCode : int {
  kExitYes = 0,
  kExitInternal = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitNotAuthorised = 4,
  kExitUnreachable = 5,
  kExitConflict = 6,
  kExitAttestationFailed = 10,
  kExitStale = 11,
  kExitPolicyDenies = 12,
  kExitFlowViolation = 13,
  kExitRevoked = 14,
  kExitProofInvalid = 15,
};

int exit_code_of(Error const& error) noexcept;

}  // namespace shamon
