// Any frame of a VM: no answer, or a frame to that VM from the gate, which is no question itself.
#include "base/assert.hpp"
#include "host/vm_services.hpp"
#include "tunnel/forwarder.hpp"

using namespace shamon;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static ServedVm const vm{VmName("g1"), LabelName("green"),        {0x0a4d0001},
                           16,           {{2, 0x53, 10, 77, 0, 1}}, 1420};
  static DnsZone const zone = [] {
    DnsZone made;
    made.domain = "vm.test.internal";
    made.network = vm.address;
    made.find = [](std::string_view) {
      return std::optional<NamedVm>({vm.name, vm.address, vm.mac});
    };
    made.find_address = [](Ipv4) { return std::optional<NamedVm>({vm.name, vm.address, vm.mac}); };
    return made;
  }();
  auto const answer = answer_vm_frame(ByteView(data, size), vm, zone);
  if (!answer) return 0;
  SHAMON_ASSERT(std::equal(kGateMac.octets.begin(), kGateMac.octets.end(), &(*answer)[6]));
  auto const read = parse_vm_question(*answer);
  SHAMON_ASSERT(read.has_value() && answer->size() <= 1514);
  bool const to_all = ((*answer)[0] & 1) != 0;
  SHAMON_ASSERT(to_all || std::equal(vm.mac.octets.begin(), vm.mac.octets.end(), answer->begin()));
  SHAMON_ASSERT(!answer_vm_frame(*answer, vm, zone).has_value());
  return 0;
}
