#include "base/fd.hpp"

#include <unistd.h>

namespace shamon {

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace shamon
