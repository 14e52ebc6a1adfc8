// Any datagram as a query: no answer, or one that is small, repeats the question's number and tells
// of no VM that the asking one does not see.
#include "base/assert.hpp"
#include "host/dns.hpp"

using namespace shamon;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static DnsZone const zone = [] {
    DnsZone made;
    made.domain = "vm.test.internal";
    made.network = Ipv4{0x0a4d0001};
    NamedVm const web{VmName("web"), {0x0a4d0002}, {{2, 0x53, 10, 77, 0, 2}}};
    made.find = [web](std::string_view name) {
      return name == "web" ? std::optional<NamedVm>(web) : std::nullopt;
    };
    made.find_address = [web](Ipv4 address) {
      return address == web.address ? std::optional<NamedVm>(web) : std::nullopt;
    };
    return made;
  }();
  ByteView const query(data, size);
  auto const answer = answer_dns(query, zone);
  if (!answer) return 0;
  SHAMON_ASSERT(size >= 12 && answer->size() >= 12 && answer->size() <= 1232);
  SHAMON_ASSERT((*answer)[0] == data[0] && (*answer)[1] == data[1]);
  SHAMON_ASSERT(((*answer)[2] & 0x80) != 0);
  // An answer is no query: two responders cannot keep each other busy.
  SHAMON_ASSERT(!answer_dns(*answer, zone).has_value());
  return 0;
}
