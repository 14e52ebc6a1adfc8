// Any text: refused with its line, or a map whose weights are in range.
#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "policy/flow/selinux/permission_map.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  auto const map = PermissionMap::parse(as_text(ByteView(data, size)));
  if (!map) {
    SHAMON_ASSERT(!map.error().message.empty());
    return 0;
  }
  for (char const* permission : {"read", "write", "ioctl"}) {
    auto const weights = map->find("file", permission);
    SHAMON_ASSERT(weights.read <= 10 && weights.write <= 10);
  }
  return 0;
}
