#include "base/cursor.hpp"

namespace shamon {

ByteView Cursor::peek(std::size_t size) const noexcept {
  if (!ok_ || size > remaining()) return {};
  return bytes_.subspan(position_, size);
}

Error Cursor::truncated(std::string_view what) const {
  return Error{Errc::truncated, "input ends inside " + std::string(what), offset()};
}

}  // namespace shamon
