// A stream of messages as a front end may send it, without a socket.
#include "base/assert.hpp"
#include "tunnel/vhost_user/message.hpp"

using namespace shamon;
using namespace shamon::vhost_user;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  ByteView rest(data, size);
  while (rest.size() > kHeaderBytes) {
    std::size_t const descriptors = rest[0] % (kRegionsMax + 1);
    auto const header = parse_header(rest.subspan(1, kHeaderBytes));
    if (!header) return 0;
    SHAMON_ASSERT(header->payload_bytes <= kPayloadBytesMax);
    rest = rest.subspan(1 + kHeaderBytes);
    if (rest.size() < header->payload_bytes) return 0;
    auto const message = parse_message(*header, rest.first(header->payload_bytes), descriptors);
    rest = rest.subspan(header->payload_bytes);
    if (!message) continue;
    if (auto const* table = std::get_if<MemoryTable>(&message->payload)) {
      SHAMON_ASSERT(table->count == descriptors && table->count <= kRegionsMax);
    }
    if (auto const* what = std::get_if<RingDescriptor>(&message->payload)) {
      SHAMON_ASSERT(what->present == (descriptors == 1));
    }
  }
  return 0;
}
