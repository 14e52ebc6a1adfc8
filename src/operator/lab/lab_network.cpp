#include "operator/lab/lab_network.hpp"

#include <algorithm>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "base/ipv4_text.hpp"
#include "base/process.hpp"
#include "base/vm_mac.hpp"

namespace shamon {
namespace {

Status make_namespace(std::string const& name, LabState& state) {
  auto made = run_checked({"ip", "netns", "add", name});
  if (!made) return made;
  auto noted = state.add_namespace(name);
  if (!noted) return noted;
  return run_checked({"ip", "-n", name, "link", "set", "lo", "up"});
}

Status join_fabric(LabSpec const& lab, std::string const& machine, Ipv4 address, LabState& state) {
  std::string const ns = namespace_of(lab, machine);
  std::string const fabric = namespace_of(lab, "fabric");
  auto made = make_namespace(ns, state);
  if (!made) return made;
  // The far end is named after the address: interface names hold 15 characters only.
  std::string const far = "m" + std::to_string(address.bits & 0xffff);
  std::string const prefix = to_string(address) + "/" + std::to_string(lab.underlay_prefix);
  std::vector<std::vector<std::string>> const commands = {
      {"ip", "-n", fabric, "link", "add", far, "type", "veth", "peer", "name", "eth0", "netns", ns},
      {"ip", "-n", fabric, "link", "set", far, "master", "fabric", "up"},
      {"ip", "-n", ns, "address", "add", prefix, "dev", "eth0"},
      {"ip", "-n", ns, "link", "set", "eth0", "up"}};
  for (auto const& command : commands) {
    auto ran = run_checked(command);
    if (!ran) return ran;
  }
  return {};
}

constexpr unsigned kQueuesMax = 16;  ///< workers that a gate has at most

/// One more queue of a TAP; the first one makes it.
Result<UniqueFd> open_queue(std::string const& interface) {
  UniqueFd queue(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!queue) return fail_errno("open /dev/net/tun");
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
  if (::ioctl(queue.get(), TUNSETIFF, &request) != 0) return fail_errno("TUNSETIFF");
  return queue;
}

/// Opens a TAP inside a namespace, with a queue for each worker a gate has by itself. A thread of
/// its own enters the namespace, so ours stays where it is.
Result<std::vector<UniqueFd>> open_tap(std::string const& ns, std::string const& interface) {
  Result<std::vector<UniqueFd>> out = fail(Errc::internal, "not run");
  std::thread([&] {
    UniqueFd space(::open(("/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC));
    if (!space || ::setns(space.get(), CLONE_NEWNET) != 0) {
      out = fail_errno("entering namespace " + ns);
      return;
    }
    std::vector<UniqueFd> queues;
    unsigned const count = std::clamp(std::thread::hardware_concurrency(), 1u, kQueuesMax);
    for (unsigned i = 0; i < count; ++i) {
      auto queue = open_queue(interface);
      if (!queue) {
        out = pass(queue);
        return;
      }
      queues.push_back(*std::move(queue));
    }
    out = std::move(queues);
  }).join();
  return out;
}

}  // namespace

std::string namespace_of(LabSpec const& lab, std::string const& machine) {
  return "shamon-" + lab.name + "-" + machine;
}

Status build_network(LabSpec const& lab, LabState& state) {
  std::string const fabric = namespace_of(lab, "fabric");
  auto made = make_namespace(fabric, state);
  if (!made) return made;
  for (auto const& command : std::vector<std::vector<std::string>>{
           {"ip", "-n", fabric, "link", "add", "fabric", "type", "bridge"},
           {"ip", "-n", fabric, "link", "set", "fabric", "up"}}) {
    auto ran = run_checked(command);
    if (!ran) return ran;
  }
  auto joined = join_fabric(lab, "authority", lab.authority_address, state);
  for (auto const& machine : lab.machines) {
    if (joined) joined = join_fabric(lab, machine.name.value(), machine.address, state);
  }
  return joined;
}

Result<std::vector<UniqueFd>> build_domain(LabSpec const& lab, LabVm const& vm, LabState& state) {
  std::string const ns = namespace_of(lab, vm.name.value());
  auto made = make_namespace(ns, state);
  if (!made) return pass(made);
  auto tap = open_tap(ns, "eth0");
  if (!tap) return tap;
  std::string const prefix = to_string(vm.address) + "/" + std::to_string(lab.vm_prefix);
  for (auto const& command : std::vector<std::vector<std::string>>{
           {"ip", "-n", ns, "link", "set", "eth0", "address",
            to_string(default_vm_mac(vm.address))},
           {"ip", "-n", ns, "address", "add", prefix, "dev", "eth0"},
           {"ip", "-n", ns, "link", "set", "eth0", "mtu", "1400", "up"}}) {
    auto ran = run_checked(command);
    if (!ran) return pass(ran);
  }
  return tap;
}

}  // namespace shamon
