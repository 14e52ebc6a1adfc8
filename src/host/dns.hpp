// Names of VMs for VMs (RFC 1035 over UDP, RFC 6891): NAME.vm.COALITION.internal and back. Pure;
// the zone is what one VM may know.
#pragma once

#include <functional>
#include <string>

#include "host/vm_frame.hpp"

namespace shamon {

inline constexpr std::uint32_t kDnsTtlSeconds = 10;  ///< a change of policy shows soon

struct NamedVm {
  VmName name;
  Ipv4 address;
  MacAddress mac;
};

/// Who makes it sees to it that a VM that the asking one may not reach is not found, exactly as one
/// that does not exist.
struct DnsZone {
  std::string domain;  ///< "vm.COALITION.internal", in lower case; empty: no names
  Ipv4 network;        ///< addresses in it that have no name do not exist; others are not ours
  std::uint8_t prefix_length = 16;
  std::function<std::optional<NamedVm>(std::string_view name)> find;  ///< in lower case
  std::function<std::optional<NamedVm>(Ipv4 address)> find_address;
};

/// The domain of a coalition's VMs. Empty if its name cannot stand in DNS (an empty label).
std::string dns_domain(CoalitionName const& coalition);
/// ASCII only, as DNS compares (RFC 4343).
std::string to_dns_case(std::string_view name);
/// to_dns_case(name) == lower
bool is_dns_equal(std::string_view name, std::string_view lower) noexcept;

/// Nothing for what is no query. Refused: other zones and classes. Nobody else is asked.
std::optional<Bytes> answer_dns(ByteView query, DnsZone const& zone);

}  // namespace shamon
