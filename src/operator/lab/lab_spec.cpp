#include "operator/lab/lab_spec.hpp"

#include <filesystem>
#include <set>

#include "base/ipv4_text.hpp"
#include "config/toml_table.hpp"
#include "label/label_name.hpp"

namespace shamon {
namespace {

std::string name_in(TomlTable& table, std::string const& key,
                    bool (*valid)(std::string_view) noexcept = is_valid_name) {
  std::string const name = table.string(key);
  if (!valid(name)) table.complain(key, "'" + name + "' is not a valid name");
  return name;
}

Ipv4 address_of(TomlTable& table, std::string const& key) {
  std::string const text = table.string(key);
  auto address = parse_ipv4(text);
  if (!address) table.complain(key, "'" + text + "' is not an IPv4 address");
  return address.value_or(Ipv4{});
}

LabMachine read_machine(TomlTable& table) {
  LabMachine machine;
  machine.name = HostName(name_in(table, "name"));
  machine.address = address_of(table, "address");
  machine.location = table.string_or("location", "lab");
  machine.tampered = table.string_or("tampered", "");
  if (!machine.tampered.empty() && machine.tampered != "shamon-gate" &&
      machine.tampered != "shamond") {
    table.complain("tampered", "must be shamon-gate or shamond");
  }
  return machine;
}

LabVm read_vm(TomlTable& table, std::set<std::string> const& machines) {
  LabVm vm;
  vm.name = VmName(name_in(table, "name"));
  vm.machine = HostName(name_in(table, "machine"));
  if (!machines.contains(vm.machine.value())) {
    table.complain("machine", "no [[machine]] is called '" + vm.machine.value() + "'");
  }
  vm.label = LabelName(name_in(table, "label", is_valid_label_name));
  vm.kind = table.string_or("kind", "qemu");
  if (vm.kind != "qemu" && vm.kind != "domain") table.complain("kind", "must be qemu or domain");
  vm.image = vm.kind == "qemu" ? table.string("image") : table.string_or("image", "");
  vm.address = address_of(table, "address");
  vm.nic = table.string_or("nic", "socket");
  if (vm.nic != "socket" && (vm.nic != "vhost-user" || vm.kind != "qemu")) {
    table.complain("nic", "must be socket or, of a qemu VM, vhost-user");
  }
  auto const count = [&](char const* key, unsigned otherwise) {
    std::uint64_t const value = table.integer_or(key, otherwise);
    if (table.has(key) && (value < 1 || value > 16)) table.complain(key, "must be from 1 to 16");
    return static_cast<unsigned>(value);
  };
  vm.processors = count("processors", vm.processors);
  vm.queues = count("queues", vm.queues);
  if (vm.queues != 0 && vm.nic != "vhost-user") {
    table.complain("queues", "only a vhost-user card has a choice of queues");
  }
  vm.memory_mb = static_cast<unsigned>(table.integer_or("memory_mb", 192));
  if (vm.memory_mb < 96 || vm.memory_mb > 65536) {
    table.complain("memory_mb", "must be from 96 to 65536");
  }
  return vm;
}

/// Names and addresses must be told apart.
template <class Item, class Key>
void refuse_twins(std::vector<Item> const& items, std::vector<TomlTable>& tables, Key key_of,
                  std::string const& key) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string const value = key_of(items[i]);
    if (!seen.insert(value).second) tables[i].complain(key, "'" + value + "' is used twice");
  }
}

}  // namespace

Result<LabSpec> read_lab_spec(std::string const& path) {
  auto file = TomlTable::parse_file(path);
  if (!file) return pass(file);
  std::filesystem::path const folder = std::filesystem::path(path).parent_path();
  auto resolved = [&](std::string const& text) {
    return (folder / text).lexically_normal().string();
  };
  LabSpec spec;
  spec.name = name_in(*file, "name");
  spec.coalition = CoalitionName(name_in(*file, "coalition"));
  spec.policy_path = resolved(file->string("policy"));
  spec.images_folder = resolved(file->string_or("images", "images"));
  spec.heartbeat_ms = file->integer_or("heartbeat_ms", 1000);
  spec.lease_ms = file->integer_or("lease_ms", 3000);
  spec.challenge_period_ms = file->integer_or("challenge_period_ms", 3000);
  auto ciphers = parse_aead_algorithms(file->strings_or("esp_ciphers", to_names(kAeadAlgorithms)));
  if (ciphers) {
    spec.ciphers = *std::move(ciphers);
  } else {
    file->complain("esp_ciphers", ciphers.error().message);
  }
  if (spec.lease_ms < 2 * spec.heartbeat_ms) {
    file->complain("lease_ms", "must be at least two heartbeats, or a late one cuts everybody off");
  }
  TomlTable authority = file->table("authority");
  spec.authority_address = address_of(authority, "address");
  auto machines = file->tables("machine");
  std::set<std::string> names;
  for (auto& table : machines) {
    spec.machines.push_back(read_machine(table));
    std::string const own = table.string_or("machine_policy", "");
    if (!own.empty()) spec.machines.back().machine_policy = resolved(own);
    names.insert(spec.machines.back().name.value());
  }
  auto vms = file->tables("vm");
  for (auto& table : vms) spec.vms.push_back(read_vm(table, names));
  if (spec.machines.empty())
    file->complain("machine", "a laboratory needs at least one [[machine]]");
  refuse_twins(
      spec.machines, machines, [](auto const& m) { return m.name.value(); }, "name");
  refuse_twins(
      spec.machines, machines, [](auto const& m) { return to_string(m.address); }, "address");
  refuse_twins(
      spec.vms, vms, [](auto const& v) { return v.name.value(); }, "name");
  refuse_twins(
      spec.vms, vms, [](auto const& v) { return to_string(v.address); }, "address");
  auto finished = file->finish();
  if (!finished) return pass(finished);
  return spec;
}

}  // namespace shamon
