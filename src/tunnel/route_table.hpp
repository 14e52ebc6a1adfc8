// Where remote VMs are: address -> (VM, label, peer). What the label of a remote VM is, this
// machine knows from its routes only; an association must agree.
#pragma once

#include <unordered_map>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/result.hpp"
#include "tunnel/association.hpp"

namespace shamon {

struct Route {
  VmName vm;
  LabelName label;
  LabelId label_id;
  HostName peer;
  PathId path{};           ///< of (peer, label): what the VM sends comes from it
  bool inherited = false;  ///< an earlier host monitor set it
};

class RouteTable {
 public:
  Status set(Ipv4 address, Route route) {
    if (routes_.size() >= kRoutesMax && !routes_.contains(address.bits)) {
      return fail(Errc::too_large, "too many routes");
    }
    routes_.insert_or_assign(address.bits, std::move(route));
    return {};
  }
  void drop_inherited() noexcept {
    std::erase_if(routes_, [](auto const& entry) { return entry.second.inherited; });
  }
  bool drop(Ipv4 address) noexcept { return routes_.erase(address.bits) != 0; }
  Route const* find(Ipv4 address) const noexcept {
    auto const found = routes_.find(address.bits);
    return found == routes_.end() ? nullptr : &found->second;
  }
  template <class F>
  void for_each(F&& f) {
    for (auto& [address, route] : routes_) f(route);
  }

 private:
  std::unordered_map<std::uint32_t, Route> routes_;
};

}  // namespace shamon
