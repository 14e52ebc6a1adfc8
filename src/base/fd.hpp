// A file descriptor that closes itself.
#pragma once

#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace shamon {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// Reads a whole file. Errors: `system`; `too_large` if it holds more than `bytes_max`.
Result<Bytes> read_file(std::string const& path, std::size_t bytes_max = 64u << 20);
Result<std::string> read_text_file(std::string const& path, std::size_t bytes_max = 16u << 20);
/// Replaces a file atomically: temporary file, fsync, rename. `mode` as in open(2).
Status write_file_atomically(std::string const& path, ByteView content, unsigned mode = 0600);
Status append_to_file(std::string const& path, ByteView content, unsigned mode = 0600);

}  // namespace shamon
