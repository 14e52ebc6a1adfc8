// The store in one SQLite file: write-ahead log, synchronous=FULL, so that what append() answered
// is there after any crash.
#pragma once

#include <string>

#include "authority/store.hpp"

namespace shamon {

/// Opens the file, or makes it (mode 0600). Errors: `system`; `unsupported` for a schema version
/// this program does not know; `conflict` if another process has it open for writing.
Result<std::unique_ptr<Store>> open_sqlite_store(std::string const& path);

}  // namespace shamon
