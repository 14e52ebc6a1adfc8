// What the gate gives up once it has its descriptors: user, capabilities, and every system call it
// does not need. From here on a fault in a parser is worth one process without rights.
#pragma once

#include <optional>

#include <sys/types.h>

#include "base/result.hpp"

namespace shamon {

struct SandboxOptions {
  std::optional<uid_t> user;  ///< none: stays who it is, without capabilities
  std::optional<gid_t> group;
};

/// User, capabilities, and the way back to either. Irreversible. Call it single-threaded, after
/// every descriptor that needs rights is open. Errors: `system`.
Status drop_rights(SandboxOptions const& options);

/// Every system call the gate does not need ends the process. For all threads there are; they must
/// have begun after drop_rights(), and crypto must have been used once (libraries read files at
/// first use). Errors: `system`.
Status filter_system_calls();

}  // namespace shamon
