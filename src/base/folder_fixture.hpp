// Tests with a folder of their own.
#pragma once

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {

class FolderTest : public ::testing::Test {
 protected:
  std::string path(std::string const& name) const { return folder_ + "/" + name; }
  /// The new file's path.
  std::string write(std::string const& name, std::string_view content, unsigned mode = 0600) const {
    EXPECT_TRUE(write_file_atomically(path(name), as_bytes(content), mode)) << path(name);
    return path(name);
  }

 private:
  TemporaryFolder const temporary_;

 protected:
  std::string const& folder_ = temporary_.path();
};

}  // namespace shamon
