#include "base/secret.hpp"

#include <string.h>

namespace shamon {

void wipe(std::span<std::uint8_t> bytes) noexcept {
  if (bytes.empty()) return;  // an empty span may be null, which explicit_bzero must not get
  explicit_bzero(bytes.data(), bytes.size());
}

}  // namespace shamon
