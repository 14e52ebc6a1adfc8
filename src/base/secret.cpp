#include "base/secret.hpp"

#include <string.h>

namespace shamon {

void wipe(std::span<std::uint8_t> bytes) noexcept {
  explicit_bzero(bytes.data(), bytes.size());
}

}  // namespace shamon
