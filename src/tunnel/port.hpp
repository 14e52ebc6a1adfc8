// A VM's only network attachment. Its identity is the descriptor; the addresses are what the VM
// may say of itself, checked on every packet.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>

#include "monitor/permit.hpp"
#include "tunnel/audit_trail.hpp"
#include "tunnel/coalescer.hpp"
#include "tunnel/counters.hpp"
#include "tunnel/gate_control.hpp"
#include "tunnel/port_driver.hpp"

namespace shamon {

struct PortSpec {
  LabelName label;
  MacAddress mac;
  std::uint16_t mtu = 1500;  ///< inner packet, in bytes
};

struct Port {
  PortId id;
  VmName vm;
  LabelName label;
  LabelId label_id;  ///< in the policy in force; kNoLabel while that policy does not have it
  Ipv4 address;
  MacAddress mac;
  std::uint16_t mtu = 1500;
  std::unique_ptr<PortDriver> driver;
  Counters counters;
  Coalescer coalescer;
  std::optional<FoldedAudit> spoofs;
};

/// Denied by every decision: no compiled policy has so many labels.
inline constexpr LabelId kNoLabel{0xffff};

class PortTable {
 public:
  /// Binds the descriptor to the VM the permit names. Errors: `conflict` for an id or address in
  /// use, `too_large`, `invalid` for an MTU outside kMtuMin..kMtuMax or a group address.
  Result<Port*> attach(Permit<PortAttach>&& permit, PortSpec const& spec,
                       std::unique_ptr<PortDriver> driver);
  bool detach(PortId id) noexcept;
  Port* find(PortId id) noexcept {
    auto const found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
  }
  Port* find(Ipv4 address) noexcept {
    auto const found = by_address_.find(address.bits);
    return found == by_address_.end() ? nullptr : found->second;
  }
  template <class F>
  void for_each(F&& f) {
    for (auto& [id, port] : by_id_) f(*port);
  }

 private:
  std::unordered_map<PortId, std::unique_ptr<Port>> by_id_;
  std::unordered_map<std::uint32_t, Port*> by_address_;
};

}  // namespace shamon
