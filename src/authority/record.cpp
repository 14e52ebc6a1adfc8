#include "authority/record.hpp"

#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(HostRecord);

std::string_view to_string(HostState state) noexcept {
  switch (state) {
    case HostState::registered: return "registered";
    case HostState::challenged: return "challenged";
    case HostState::refused: return "refused";
    case HostState::active: return "active";
    case HostState::suspect: return "suspect";
    case HostState::revoked: return "revoked";
    case HostState::left: return "left";
  }
  return "unknown";
}

MemberEntry to_member_entry(HostRecord const& record) {
  return {record.host, record.control, record.tunnel, std::string(to_string(record.host_state())),
          record.ak_public};
}

}  // namespace shamon
