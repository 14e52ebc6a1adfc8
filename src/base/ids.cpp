#include "base/ids.hpp"

#include <string_view>

namespace shamon {

bool is_valid_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 63) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    bool const alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    bool const inner = c == '_' || c == '.' || c == '-';
    if (!alnum && !(inner && i > 0)) return false;
  }
  return true;
}

}  // namespace shamon
