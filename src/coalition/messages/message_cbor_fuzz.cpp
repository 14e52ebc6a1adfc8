// The first byte chooses a message; the rest is its CBOR. What is accepted must encode to the very
// bytes it came from: one value, one encoding.
#include <cstdlib>

#include "coalition/messages/every_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  if (size == 0) return 0;
  ByteView const input(data + 1, size - 1);
  with_message(data[0], [&]<class Message>() {
    auto const message = decode_cbor<Message>(input);
    if (message && encode_cbor(*message) != to_bytes(input)) std::abort();
    (void)decode_cbor<Message>(input, UnknownFields::ignore);
  });
  return 0;
}
