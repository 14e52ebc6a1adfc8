// Any message as DHCP (first byte even) or DHCPv6: no answer, or one every client can take.
#include "base/assert.hpp"
#include "host/dhcp.hpp"
#include "host/router_advertisement.hpp"

using namespace shamon;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static ServedVm const vm{
      VmName("web"), LabelName("green"), {0x0a4d0002}, 16, {{2, 0x53, 10, 77, 0, 2}}, 1420};
  static std::string const domain = "vm.test.internal";
  if (size == 0) return 0;
  ByteView const message(data + 1, size - 1);
  (void)is_router_solicitation(message);
  if ((data[0] & 1) != 0) {
    if (auto const answer = answer_dhcpv6(message, domain)) {
      SHAMON_ASSERT((*answer)[0] == 7 && answer->size() <= message.size() + 100);
      SHAMON_ASSERT(!answer_dhcpv6(*answer, domain).has_value());
    }
    return 0;
  }
  if (auto const answer = answer_dhcp(message, vm, domain)) {
    SHAMON_ASSERT(answer->message.size() >= 300 && answer->message.size() <= 548);
    SHAMON_ASSERT(answer->to == vm.address || answer->to == Ipv4{~0u});
    SHAMON_ASSERT(!answer_dhcp(answer->message, vm, domain).has_value());
  }
  return 0;
}
