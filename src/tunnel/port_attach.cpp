#include "tunnel/port.hpp"

namespace shamon {

Result<Port*> PortTable::attach(Permit<PortAttach>&& permit, PortSpec const& spec,
                                std::unique_ptr<PortDriver> driver) {
  Permit<PortAttach> const used = std::move(permit);
  PortAttach const& what = used.operation();
  if (what.port.value() == 0) return fail(Errc::invalid, "port 0 names none");
  if (by_id_.size() >= kPortsMax) return fail(Errc::too_large, "too many ports");
  if (by_id_.contains(what.port)) return fail(Errc::conflict, "port id in use");
  if (by_address_.contains(what.address.bits)) return fail(Errc::conflict, "address in use");
  if (spec.mtu < kMtuMin || spec.mtu > kMtuMax) return fail(Errc::invalid, "MTU out of bounds");
  if ((spec.mac.octets[0] & 1) != 0) return fail(Errc::invalid, "a group MAC address");
  // Class D and above, and "this network": no VM's address.
  if (what.address.bits >= 0xe0000000 || what.address.bits >> 24 == 0) {
    return fail(Errc::invalid, "not a unicast address");
  }
  auto port = std::make_unique<Port>();
  port->id = what.port;
  port->vm = what.vm;
  port->label = spec.label;
  port->label_id = what.label;
  port->address = what.address;
  port->mac = spec.mac;
  port->mtu = spec.mtu;
  port->driver = std::move(driver);
  Port* const result = port.get();
  by_address_.emplace(what.address.bits, result);
  by_id_.emplace(what.port, std::move(port));
  return result;
}

bool PortTable::detach(PortId id) noexcept {
  auto const found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  by_address_.erase(found->second->address.bits);
  by_id_.erase(found);
  return true;
}

}  // namespace shamon
