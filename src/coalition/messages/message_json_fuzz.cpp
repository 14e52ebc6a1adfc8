// The first byte chooses a message; the rest is its JSON. What is accepted must survive being
// written and read again, in both forms.
#include <cstdlib>

#include "coalition/messages/every_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  if (size == 0) return 0;
  std::string_view const input = as_text({data + 1, size - 1});
  with_message(data[0], [&]<class Message>() {
    auto const message = decode_json<Message>(input);
    if (!message) return;
    auto const again = decode_json<Message>(encode_json(*message));
    if (!again || encode_cbor(*again) != encode_cbor(*message)) std::abort();
  });
  return 0;
}
