#include "guest/protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  shamon::guest::FrameReader reader;
  reader.feed({data, size});
  for (;;) {
    auto frame = reader.next();
    if (!frame || !*frame) return 0;
    (void)shamon::guest::encode_frame(**frame);
  }
}
