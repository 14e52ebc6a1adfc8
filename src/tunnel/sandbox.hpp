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

/// Irreversible. Call it single-threaded, after every descriptor that needs rights is open and
/// after crypto was used once (libraries read files at first use). Errors: `system`.
Status enter_sandbox(SandboxOptions const& options);

}  // namespace shamon
