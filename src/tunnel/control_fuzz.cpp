// Bytes on the control socket as either end reads them.
#include "base/assert.hpp"
#include "label/label_name.hpp"
#include "tunnel/audit_trail.hpp"
#include "tunnel/control_server.hpp"

using namespace shamon;

namespace {

template <class... Ms>
std::size_t count_readings(ByteView bytes) {
  return (std::size_t{0} + ... + (read_message<Ms>(bytes) ? 1u : 0u));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  ByteView const bytes(data, size);
  SHAMON_ASSERT(read_header(bytes).has_value() == (size >= sizeof(gate::Header)));
  // A message is at most one thing.
  SHAMON_ASSERT(
      (count_readings<
          gate::Hello, gate::PolicyLoad, gate::PortAttach, gate::PortDetach, gate::AssociationOpen,
          gate::AssociationClose, gate::RouteSet, gate::RouteDrop, gate::RoutesWhole, gate::Lease,
          gate::ServiceAttach, gate::StatisticsRequest, gate::State, gate::StateEnd, gate::Done,
          gate::Refused, gate::Audit, gate::AssociationWanted, gate::RekeyWanted,
          gate::AssociationEnded, gate::PortFault, gate::Statistics, gate::StatisticsEnd,
          gate::ShareOpen, gate::ShareJoin, gate::ShareClose, gate::ShareState, gate::ShareEnded>(
          bytes)) <= 1);
  if (auto const attach = read_message<gate::PortAttach>(bytes)) {
    SHAMON_ASSERT(from_name(attach->vm).size() <= gate::kNameBytesMax);
    (void)is_valid_label_name(from_name(attach->label));
  }
  return 0;
}
