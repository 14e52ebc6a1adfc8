#include "base/bytes.hpp"

namespace shamon {

ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
}

std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

Bytes to_bytes(ByteView view) {
  return {view.begin(), view.end()};
}
Bytes to_bytes(std::string_view text) {
  return to_bytes(as_bytes(text));
}
void append(Bytes& out, ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<std::uint8_t>(a[i] ^ b[i]);
  std::uint8_t volatile const result = difference;
  return result == 0;
}

}  // namespace shamon
