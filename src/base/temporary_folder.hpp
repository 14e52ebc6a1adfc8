// A folder for files of a test or a bench.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/assert.hpp"

namespace shamon {

/// Gone, with all in it, at the end of its scope. Below TMPDIR, else /tmp.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = std::filesystem::temp_directory_path() / "shamon-test-XXXXXX";
    SHAMON_ASSERT(::mkdtemp(path_.data()) != nullptr);
  }
  TemporaryFolder(TemporaryFolder const&) = delete;
  TemporaryFolder& operator=(TemporaryFolder const&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string const& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace shamon
