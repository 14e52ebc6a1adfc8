#include "label/label_name.hpp"

namespace shamon {

bool is_valid_label_name(std::string_view text) noexcept {
  constexpr std::size_t kNameBytesMax = 63;
  if (text.empty() || text.size() > kNameBytesMax) return false;
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  return true;
}

}  // namespace shamon
