// What a plan means for the VMs and tunnels that run now.
#include <algorithm>
#include <map>
#include <set>

#include "policy/flow/plan.hpp"
#include "policy/membership.hpp"

namespace shamon {
namespace {

constexpr std::size_t kNamesToldMax = 4;

std::string told(std::vector<std::string> const& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNamesToldMax; ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kNamesToldMax) {
    out += " and " + std::to_string(names.size() - kNamesToldMax) + " more";
  }
  return out;
}

/// Whether anything may pass between the two, either way.
bool may_talk(PolicySide const& side, std::string const& a, std::string const& b) {
  auto const first = side.graph.find(a);
  auto const second = side.graph.find(b);
  if (!first || !second) return false;
  return side.graph.edge(*first, *second) != nullptr || side.graph.edge(*second, *first) != nullptr;
}

class Cuts {
 public:
  Cuts(PolicySide const& before, PolicySide const& after, PolicyPlan const& plan,
       Running const& running)
      : before_(before), after_(after), plan_(plan), running_(running) {
    for (auto const& vm : running.vms) by_label_[vm.label].push_back(vm.vm);
  }

  std::vector<Cut> run() {
    vms();
    walls();
    flows();
    tunnels();
    return std::move(out_);
  }

 private:
  bool known(PolicySide const& side, std::string const& label) const {
    return side.policy.find_label(LabelName(label)).has_value();
  }

  void vms() {
    for (auto const& vm : running_.vms) {
      if (!known(after_, vm.label)) {
        out_.push_back({Cut::Kind::vm_stops,
                        "VM " + vm.vm + " on " + vm.host + " stops: label " + vm.label + " is gone",
                        {vm.vm}});
        continue;
      }
      LabelName const label(vm.label);
      bool const was = admit_image(before_.document, label, vm.image).allowed();
      auto const is = admit_image(after_.document, label, vm.image);
      if (!was || is.allowed() || vm.image.empty()) continue;
      out_.push_back({Cut::Kind::image_withdrawn,
                      "VM " + vm.vm + " on " + vm.host + " could not start again: " + is.reason,
                      {vm.vm}});
    }
  }

  void walls() {
    for (auto const& wall : plan_.walls) {
      if (!wall.apart) continue;
      std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>> hosts;
      for (auto const& vm : running_.vms) {
        if (vm.label == wall.a) hosts[vm.host].first.push_back(vm.vm);
        if (vm.label == wall.b && wall.a != wall.b) hosts[vm.host].second.push_back(vm.vm);
      }
      for (auto const& [host, both] : hosts) {
        if (both.first.empty() || both.second.empty()) continue;
        std::vector<std::string> names = both.first;
        names.insert(names.end(), both.second.begin(), both.second.end());
        out_.push_back({Cut::Kind::wall,
                        "on " + host + " run " + told(both.first) + " (" + wall.a + ") and " +
                            told(both.second) + " (" + wall.b + "), which a wall now keeps apart",
                        std::move(names)});
      }
    }
  }

  void flows() {
    for (auto const& pair : plan_.pairs) {
      if (pair.lost.empty()) continue;
      auto const from = by_label_.find(pair.from);
      auto const to = by_label_.find(pair.to);
      if (from == by_label_.end() || to == by_label_.end()) continue;
      if (pair.from == pair.to && from->second.size() < 2) continue;  // it has nobody to talk to
      std::vector<std::string> names = from->second;
      names.insert(names.end(), to->second.begin(), to->second.end());
      out_.push_back({Cut::Kind::flow,
                      told(from->second) + " (" + pair.from + ") -> " + told(to->second) + " (" +
                          pair.to + ") lose " + pair.lost,
                      std::move(names)});
    }
  }

  /// Whether a tunnel of this label between the two machines has a VM pair to carry.
  bool carries(PolicySide const& side, RunningTunnel const& tunnel) const {
    for (auto const& here : running_.vms) {
      bool const one_end = here.host == tunnel.host || here.host == tunnel.peer;
      if (here.label != tunnel.label || !one_end) continue;
      std::string const& far = here.host == tunnel.host ? tunnel.peer : tunnel.host;
      for (std::string const& label : labels_on_[far]) {
        if (may_talk(side, here.label, label)) return true;
      }
    }
    return false;
  }

  void tunnels() {
    for (auto const& vm : running_.vms) labels_on_[vm.host].insert(vm.label);
    std::set<RunningTunnel> all;
    for (auto const& tunnel : running_.tunnels) all.insert(named_once(tunnel));
    if (all.empty()) {
      for (auto const& vm : running_.vms) {
        for (auto const& [peer, labels] : labels_on_) {
          if (peer == vm.host) continue;
          RunningTunnel const tunnel = named_once({vm.host, peer, vm.label});
          if (carries(before_, tunnel)) all.insert(tunnel);
        }
      }
    }
    for (auto const& tunnel : all) {
      bool const gone = !known(after_, tunnel.label);
      if (!gone && (!carries(before_, tunnel) || carries(after_, tunnel))) continue;
      out_.push_back({Cut::Kind::tunnel,
                      "tunnel " + tunnel.host + " - " + tunnel.peer + " of label " + tunnel.label +
                          (gone ? " ends: the label is gone" : " carries nothing any more"),
                      {tunnel.host, tunnel.peer, tunnel.label}});
    }
  }

  /// Both machines report one tunnel, each with the other as its peer.
  static RunningTunnel named_once(RunningTunnel tunnel) {
    if (tunnel.peer < tunnel.host) std::swap(tunnel.host, tunnel.peer);
    return tunnel;
  }

  PolicySide const& before_;
  PolicySide const& after_;
  PolicyPlan const& plan_;
  Running const& running_;
  std::map<std::string, std::vector<std::string>> by_label_;
  mutable std::map<std::string, std::set<std::string>> labels_on_;  ///< by machine
  std::vector<Cut> out_;
};

}  // namespace

char const* to_string(Cut::Kind kind) noexcept {
  switch (kind) {
    case Cut::Kind::vm_stops: return "vm stops";
    case Cut::Kind::image_withdrawn: return "image withdrawn";
    case Cut::Kind::wall: return "wall";
    case Cut::Kind::flow: return "flow";
    case Cut::Kind::tunnel: return "tunnel";
  }
  return "unknown";
}

std::vector<Cut> find_cuts(PolicySide const& before, PolicySide const& after,
                           PolicyPlan const& plan, Running const& running) {
  return Cuts(before, after, plan, running).run();
}

}  // namespace shamon
