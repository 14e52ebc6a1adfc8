#include "host/host_config.hpp"

#include "base/ipv4_text.hpp"
#include "base/vm_mac.hpp"
#include "config/toml_table.hpp"
#include "label/label_name.hpp"
#include "tunnel/packet.hpp"
#include "vm/limits.hpp"

namespace shamon {
namespace {

Endpoint read_endpoint(TomlTable& table, std::string const& key) {
  std::string const text = table.string(key);
  auto endpoint = parse_endpoint(text);
  if (!endpoint) table.complain(key, "'" + text + "' is not ADDRESS:PORT");
  return endpoint.value_or(Endpoint{});
}

template <class Name>
Name read_name(TomlTable& table, std::string const& key) {
  constexpr bool is_label = std::is_same_v<Name, LabelName>;
  std::string const text = table.string(key);
  if (!(is_label ? is_valid_label_name(text) : is_valid_name(text)))
    table.complain(key, "'" + text + "' is not a valid name");
  return Name(text);
}

std::uint64_t read_number(TomlTable& table, std::string const& key, std::uint64_t fallback,
                          std::uint64_t low, std::uint64_t high) {
  std::uint64_t const value = table.integer_or(key, fallback);
  if (value >= low && value <= high) return value;
  table.complain(key, "must be from " + std::to_string(low) + " to " + std::to_string(high));
  return fallback;
}

std::vector<AeadAlgorithm> read_ciphers(TomlTable& table) {
  auto ciphers = parse_aead_algorithms(table.strings_or("esp_ciphers", to_names(kAeadAlgorithms)));
  if (ciphers) return *std::move(ciphers);
  table.complain("esp_ciphers", ciphers.error().message);
  return {};
}

VmSpec read_vm(TomlTable& table, std::string const& state_folder) {
  VmSpec vm;
  vm.name = read_name<VmName>(table, "name");
  vm.label = read_name<LabelName>(table, "label");
  vm.kind = table.string_or("kind", "qemu");
  if (vm.kind != "qemu" && vm.kind != "domain") table.complain("kind", "must be qemu or domain");
  bool const is_qemu = vm.kind == "qemu";
  vm.image = is_qemu ? table.string("image") : table.string_or("image", "domain");
  vm.kernel = is_qemu ? table.string("kernel") : "";
  vm.initrd = is_qemu ? table.string("initrd") : "";
  vm.command_line = table.string_or("command_line", "");
  std::string const nic = table.string_or("nic", "socket");
  if (nic != "socket" && nic != "vhost-user") {
    table.complain("nic", "must be socket or vhost-user");
  }
  vm.nic = nic == "vhost-user" ? Nic::vhost_user : Nic::socket;
  if (vm.nic == Nic::vhost_user && !is_qemu) table.complain("nic", "a domain has no such card");
  vm.packed_ring = table.boolean_or("packed_ring", false);
  if (vm.packed_ring && vm.nic != Nic::vhost_user) {
    table.complain("packed_ring", "only a vhost-user card has a choice of rings");
  }
  vm.processors = static_cast<unsigned>(read_number(table, "processors", 1, 1, kVmProcessorsMax));
  if (table.has("queues")) {
    vm.queues = static_cast<unsigned>(read_number(table, "queues", 1, 1, kVmQueuesMax));
    if (vm.nic != Nic::vhost_user) {
      table.complain("queues", "only a vhost-user card has a choice of queues");
    }
  }
  vm.memory_mb =
      static_cast<unsigned>(read_number(table, "memory_mb", 192, kVmMemoryMbMin, kVmMemoryMbMax));
  vm.prefix_length = static_cast<std::uint8_t>(read_number(table, "prefix_length", 16, 1, 32));
  std::string const address = table.string("address");
  auto parsed = parse_ipv4(address);
  if (!parsed) table.complain("address", "'" + address + "' is not an IPv4 address");
  vm.address = parsed.value_or(Ipv4{});
  if (vm.address == kServiceIpv4) {
    table.complain("address", address + " is where VMs find this monitor's services");
  }
  vm.mac = default_vm_mac(vm.address);
  if (std::string const mac = table.string_or("mac", ""); !mac.empty()) {
    auto given = parse_mac(mac);
    if (!given) table.complain("mac", "'" + mac + "' is not aa:bb:cc:dd:ee:ff");
    vm.mac = given.value_or(vm.mac);
  }
  vm.state_folder = state_folder + "/vm/" + vm.name.value();
  return vm;
}

/// A name and an address belong to one VM: the gate and the authority know it by them.
void complain_about_twins(std::vector<TomlTable>& tables, std::vector<VmSpec> const& vms) {
  for (std::size_t i = 0; i < vms.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (vms[i].name == vms[k].name) {
        tables[i].complain("name", "'" + vms[i].name.value() + "' is there twice");
      }
      if (vms[i].address == vms[k].address) {
        tables[i].complain("address", to_string(vms[i].address) + " is that of '" +
                                          vms[k].name.value() + "' already");
      }
    }
  }
}

}  // namespace

Result<HostConfig> read_host_config(std::string const& path) {
  auto file = TomlTable::parse_file(path);
  if (!file) return pass(file);
  HostConfig out;
  TomlTable host = file->table("host");
  out.name = read_name<HostName>(host, "name");
  out.platform = host.string_or("platform", "debian12");
  out.location = host.string_or("location", "");
  out.machine_policy_path = host.string_or("machine_policy", "");
  out.state_folder = host.string_or("state", "/var/lib/shamon");
  out.socket_folder = host.string_or("sockets", "/run/shamon");
  out.control = read_endpoint(host, "control");
  out.tunnel = read_endpoint(host, "tunnel");
  out.demand = host.string_or("demand", "both");
  if (out.demand != "authority" && out.demand != "direct" && out.demand != "both") {
    host.complain("demand", "must be authority, direct or both");
  }
  out.ciphers = read_ciphers(host);
  std::string const numbers = host.string_or("esp_sequence_numbers", "extended");
  if (numbers != "extended" && numbers != "32-bit") {
    host.complain("esp_sequence_numbers", "must be extended or 32-bit");
  }
  out.extended_sequence = numbers == "extended";
  TomlTable tpm = file->table("tpm");
  out.tpm_tcti = tpm.string_or("tcti", "device:/dev/tpmrm0");
  out.event_log_path =
      tpm.string_or("event_log", "/sys/kernel/security/tpm0/binary_bios_measurements");
  out.ima_log_path = tpm.string_or("ima_log", "");
  out.ek_intermediates_path = tpm.string_or("ek_intermediates", "");
  TomlTable authority = file->table("authority");
  out.authority = read_endpoint(authority, "endpoint");
  out.authority_ca_path = authority.string("ca");
  out.gate_socket = file->table("gate").string_or("control", "/run/shamon/gate.sock");
  out.swtpm_config = file->table("qemu").string_or("swtpm_config", "");
  std::vector<TomlTable> vms = file->tables("vm");
  for (auto& table : vms) out.vms.push_back(read_vm(table, out.state_folder));
  complain_about_twins(vms, out.vms);
  auto finished = file->finish();
  if (!finished) return pass(finished);
  return out;
}

}  // namespace shamon
