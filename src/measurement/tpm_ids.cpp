#include "measurement/tpm_ids.hpp"

namespace shamon::tpm {

std::optional<HashAlgorithm> hash_algorithm(std::uint16_t id) noexcept {
  for (HashAlgorithm a :
       {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    if (static_cast<std::uint16_t>(a) == id) return a;
  }
  return std::nullopt;
}

ByteView take_sized(Cursor& cursor, std::size_t bytes_max) noexcept {
  std::uint16_t const size = cursor.u16be();
  if (size > bytes_max) cursor.fail();
  return cursor.take(size);
}

}  // namespace shamon::tpm
