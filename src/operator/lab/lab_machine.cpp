#include "operator/lab/lab_machine.hpp"

#include <filesystem>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "attestation/measured_log.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "base/process.hpp"

namespace shamon {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kControlPort = 7443;
constexpr std::uint16_t kTunnelPort = 4500;
constexpr std::uint16_t kAuthorityPort = 8443;
/// Each machine's daemons run under a user id of their own, which needs no entry in /etc/passwd.
constexpr unsigned kFirstUid = 61'000;

// Which PCR holds what; docs/ARCHITECTURE.md has the table.
constexpr PcrIndex kFirmwarePcr{0};
constexpr PcrIndex kBootStagePcr{4};
constexpr PcrIndex kGuestImagePcr{9};
constexpr PcrIndex kComponentPcr{11};
constexpr PcrIndex kConfigurationPcr{12};

/// Stands where a real machine has its firmware: the root of trust of the laboratory is this text.
constexpr std::string_view kFirmwareStandIn = "shamon laboratory firmware stand-in 1";

Status copy_program(std::string const& from, std::string const& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) return fail(Errc::system, "copying " + from + ": " + error.message());
  return {};
}

Status wait_for(std::string const& path, std::string const& what, Duration limit) {
  Instant const end = read_monotonic_clock() + limit;
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0) {
    if (read_monotonic_clock() > end) return fail(Errc::timeout, what + " did not come up");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

Status spawn_into(LabState& state, std::string const& role, ProcessSpec const& spec) {
  auto process = Process::spawn(spec);
  if (!process) return pass(process);
  return state.add_process(role, process->release());
}

/// A basic string of TOML. `text` has no control characters.
std::string quoted(std::string const& text) {
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string key_value(std::string const& key, std::string const& value) {
  return key + " = " + quoted(value) + "\n";
}

}  // namespace

Status make_owned_folder(std::string const& path, unsigned mode, unsigned uid) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(Errc::system, "making " + path + ": " + error.message());
  if (::chmod(path.c_str(), mode) != 0 || ::chown(path.c_str(), uid, uid) != 0) {
    return fail_errno("preparing " + path);
  }
  return {};
}

MachinePaths machine_paths(LabState const& state, std::string const& machine) {
  std::string const root = state.folder() + "/" + machine;
  return {root,          root + "/bin", root + "/etc", root + "/state",
          root + "/run", root + "/log", root + "/tpm"};
}

LabMachineRoom::LabMachineRoom(LabSpec const& spec, LabState& state, std::string program_folder)
    : spec_(spec), state_(state), programs_(std::move(program_folder)) {}

unsigned LabMachineRoom::uid_of(LabMachine const& machine) const {
  for (std::size_t i = 0; i < spec_.machines.size(); ++i) {
    if (spec_.machines[i].name == machine.name) return kFirstUid + 1 + static_cast<unsigned>(i);
  }
  return kFirstUid;
}

std::string LabMachineRoom::ek_root_path() const {
  return state_.folder() + "/endorser/swtpm-localca-rootca-cert.pem";
}
std::string LabMachineRoom::ek_issuer_path() const {
  return state_.folder() + "/endorser/issuercert.pem";
}

Status LabMachineRoom::make_endorser() {
  std::string const folder = state_.folder() + "/endorser";
  auto made = make_owned_folder(folder, 0755, 0);
  if (!made) return made;
  std::string const ca = "statedir = " + folder + "\nsigningkey = " + folder +
                         "/signkey.pem\nissuercert = " + ek_issuer_path() +
                         "\ncertserial = " + folder + "/certserial\n";
  std::string const options =
      "--platform-manufacturer shamon-laboratory\n--platform-version 1\n--platform-model "
      "namespace\n";
  std::string const setup =
      "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = " + folder +
      "/localca.conf\ncreate_certs_tool_options = " + folder + "/localca.options\n";
  for (auto const& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"localca.conf", ca}, {"localca.options", options}, {"setup.conf", setup}}) {
    auto written = write_file_atomically(folder + "/" + name, as_bytes(text), 0644);
    if (!written) return written;
  }
  return {};
}

std::string LabMachineRoom::gate_config(LabMachine const& machine) const {
  std::string text;
  for (auto const& argument : gate_arguments(machine)) text += argument + "\n";
  return text;
}

std::vector<std::string> LabMachineRoom::gate_arguments(LabMachine const& machine) const {
  auto const paths = machine_paths(state_, machine.name.value());
  std::string const uid = std::to_string(uid_of(machine));
  return {paths.bin + "/shamon-gate",
          "--listen-udp",
          to_string(Endpoint{machine.address, kTunnelPort}),
          "--control",
          paths.run + "/gate.sock",
          "--control-uid",
          uid,
          "--user",
          uid,
          "--group",
          uid};
}

std::string LabMachineRoom::monitor_config(LabMachine const& machine) const {
  auto const paths = machine_paths(state_, machine.name.value());
  std::string out =
      "[host]\n" + key_value("name", machine.name.value()) + key_value("platform", "lab") +
      key_value("location", machine.location) + key_value("state", paths.state) +
      key_value("sockets", paths.run) +
      (machine.machine_policy.empty() ? "" : key_value("machine_policy", paths.own_policy())) +
      key_value("control", to_string(Endpoint{machine.address, kControlPort})) +
      key_value("tunnel", to_string(Endpoint{machine.address, kTunnelPort})) + "\n[tpm]\n" +
      key_value("tcti", paths.tcti()) + key_value("event_log", paths.event_log()) +
      key_value("ek_intermediates", ek_issuer_path()) + "\n[authority]\n" +
      key_value("endpoint", to_string(Endpoint{spec_.authority_address, kAuthorityPort})) +
      key_value("ca", state_.folder() + "/authority/ca.pem") + "\n[gate]\n" +
      key_value("control", paths.run + "/gate.sock");
  for (auto const& vm : spec_.vms) {
    if (vm.machine != machine.name) continue;
    out += "\n[[vm]]\n" + key_value("name", vm.name.value()) +
           key_value("label", vm.label.value()) + key_value("kind", vm.kind) +
           key_value("address", to_string(vm.address)) +
           "prefix_length = " + std::to_string(spec_.vm_prefix) +
           "\nmemory_mb = " + std::to_string(vm.memory_mb) + "\n";
    if (vm.kind != "qemu") continue;
    out += key_value("nic", vm.nic) + key_value("image", vm.image) +
           key_value("kernel", spec_.images_folder + "/vmlinux") +
           key_value("initrd", spec_.images_folder + "/" + vm.image + ".initramfs") +
           "processors = " + std::to_string(vm.processors) + "\n";
    if (vm.queues != 0) out += "queues = " + std::to_string(vm.queues) + "\n";
  }
  return out;
}

Status LabMachineRoom::prepare(LabMachine const& machine) {
  auto const paths = machine_paths(state_, machine.name.value());
  unsigned const uid = uid_of(machine);
  for (auto const& [folder, mode] :
       std::vector<std::pair<std::string, unsigned>>{{paths.root, 0755},
                                                     {paths.bin, 0755},
                                                     {paths.etc, 0755},
                                                     {paths.run, 0755},
                                                     {paths.log, 0755},
                                                     {paths.state, 0700},
                                                     {paths.tpm, 0700}}) {
    bool const is_ours = folder == paths.root || folder == paths.bin || folder == paths.etc;
    auto made = make_owned_folder(folder, mode, is_ours ? 0 : uid);
    if (!made) return made;
  }
  for (std::string const program : {"shamond", "shamon-gate"}) {
    auto copied = copy_program(programs_ + "/" + program, paths.bin + "/" + program);
    if (!copied) return copied;
  }
  auto written =
      write_file_atomically(paths.etc + "/shamond.toml", as_bytes(monitor_config(machine)), 0644);
  if (written) {
    written = write_file_atomically(paths.etc + "/shamon-gate.arguments",
                                    as_bytes(gate_config(machine)), 0644);
  }
  if (written && !machine.machine_policy.empty()) {
    auto const own = read_file(machine.machine_policy);
    if (!own) return pass(own);
    written = write_file_atomically(paths.own_policy(), *own, 0644);
  }
  if (!written) return written;
  auto made = run_checked({"swtpm_setup", "--tpm2", "--tpmstate", paths.tpm, "--config",
                           state_.folder() + "/endorser/setup.conf", "--create-ek-cert",
                           "--pcr-banks", "sha256", "--overwrite"},
                          std::chrono::seconds(60));
  if (!made) return made;
  return run_checked({"chown", "-R", std::to_string(uid) + ":" + std::to_string(uid), paths.tpm});
}

/// Component and file, in the order in which the boot stage measures them.
std::vector<std::pair<std::string, std::string>> LabMachineRoom::measured_files(
    LabMachine const& machine) const {
  auto const paths = machine_paths(state_, machine.name.value());
  std::vector<std::pair<std::string, std::string>> out = {
      {"boot-stage", programs_ + "/shamon"},
      {"shamond", paths.bin + "/shamond"},
      {"shamon-gate", paths.bin + "/shamon-gate"},
      {"config/shamond", paths.etc + "/shamond.toml"},
      {"config/shamon-gate", paths.etc + "/shamon-gate.arguments"}};
  bool has_guest = false;
  for (auto const& vm : spec_.vms) {
    if (vm.machine != machine.name || vm.kind != "qemu") continue;
    if (!has_guest) out.emplace_back("guest-kernel", spec_.images_folder + "/vmlinux");
    has_guest = true;
    out.emplace_back("guest-image/" + vm.image,
                     spec_.images_folder + "/" + vm.image + ".initramfs");
  }
  return out;
}

Status LabMachineRoom::reference_values(LabMachine const& machine,
                                        std::vector<ReferenceValue>& out) const {
  std::string const source = "laboratory " + spec_.name;
  out.push_back({"firmware", sha256(as_bytes(kFirmwareStandIn)), true, source, {}});
  auto components = measured_files(machine);
  // Its monitor measures it, when the first policy is put in force.
  if (!machine.machine_policy.empty()) {
    components.emplace_back("machine-policy",
                            machine_paths(state_, machine.name.value()).own_policy());
  }
  for (auto const& [component, path] : components) {
    auto digest = hash_file(HashAlgorithm::sha256, path);
    if (!digest) return pass(digest);
    out.push_back({component, *digest, true, source, {}});
  }
  return {};
}

Status LabMachineRoom::tamper(std::string const& machine, std::string const& component) {
  // Bytes after the end of an ELF file change nothing but the digest: an attacker's smallest step.
  // The running program keeps its old file, as with any replaced binary.
  std::string const path = machine_paths(state_, machine).bin + "/" + component;
  auto content = read_file(path, 512u << 20);
  if (!content) return pass(content);
  append(*content, as_bytes("\nimplant\n"));
  return write_file_atomically(path, *content, 0755);
}

Status LabMachineRoom::start_tpm(LabMachine const& machine) {
  auto const paths = machine_paths(state_, machine.name.value());
  auto started =
      spawn_into(state_, machine.name.value() + "/swtpm",
                 {.arguments = {"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + paths.tpm,
                                "--server", "type=unixio,path=" + paths.run + "/tpm.sock", "--ctrl",
                                "type=unixio,path=" + paths.run + "/tpm.sock.ctrl", "--flags",
                                "not-need-init,startup-clear"},
                  .output_path = paths.log + "/swtpm.log",
                  .uid = uid_of(machine)});
  if (!started) return started;
  started = wait_for(paths.run + "/tpm.sock.ctrl", "the TPM of " + machine.name.value(),
                     std::chrono::seconds(5));
  if (!started) return started;
  return wait_for(paths.run + "/tpm.sock", "the TPM of " + machine.name.value(),
                  std::chrono::seconds(5));
}

Status LabMachineRoom::measure_boot(LabMachine const& machine) {
  auto const paths = machine_paths(state_, machine.name.value());
  auto tpm = open_tpm(paths.tcti());
  if (!tpm) return pass(tpm);
  auto done = measure_component(**tpm, paths.event_log(), kFirmwarePcr, "firmware",
                                as_bytes(kFirmwareStandIn));
  for (auto const& [component, path] : measured_files(machine)) {
    if (!done) return done;
    auto content = read_file(path, 512u << 20);
    if (!content) return pass(content);
    PcrIndex const pcr = component == "boot-stage"          ? kBootStagePcr
                         : component.starts_with("guest-")  ? kGuestImagePcr
                         : component.starts_with("config/") ? kConfigurationPcr
                                                            : kComponentPcr;
    done = measure_component(**tpm, paths.event_log(), pcr, component, *content);
  }
  if (!done) return done;
  unsigned const uid = uid_of(machine);
  if (::chown(paths.event_log().c_str(), uid, uid) != 0) return fail_errno("chown event log");
  return {};
}

Status LabMachineRoom::start_gate(LabMachine const& machine) {
  auto const paths = machine_paths(state_, machine.name.value());
  ::unlink((paths.run + "/gate.sock").c_str());
  auto started = spawn_into(state_, machine.name.value() + "/shamon-gate",
                            {.arguments = gate_arguments(machine),
                             .output_path = paths.log + "/shamon-gate.log",
                             .network_namespace = namespace_of(spec_, machine.name.value())});
  if (!started) return started;
  return wait_for(paths.run + "/gate.sock", "the gate of " + machine.name.value(),
                  std::chrono::seconds(5));
}

Status LabMachineRoom::start_monitor(LabMachine const& machine, LabTaps const& taps) {
  auto const paths = machine_paths(state_, machine.name.value());
  ProcessSpec spec{.arguments = {paths.bin + "/shamond", "--config", paths.etc + "/shamond.toml"},
                   .output_path = paths.log + "/shamond.log",
                   .network_namespace = namespace_of(spec_, machine.name.value()),
                   .uid = uid_of(machine)};
  for (auto const& vm : spec_.vms) {
    auto const tap = taps.find(vm.name.value());
    if (vm.machine != machine.name || tap == taps.end()) continue;
    for (UniqueFd const& queue : tap->second) {
      spec.descriptors.emplace_back(vm.name.value(), queue.get());
    }
  }
  auto started = spawn_into(state_, machine.name.value() + "/shamond", spec);
  if (!started) return started;
  return wait_for(paths.run + "/shamond.sock", "the monitor of " + machine.name.value(),
                  std::chrono::seconds(10));
}

Status LabMachineRoom::boot(LabMachine const& machine, LabTaps const& taps) {
  auto done = start_tpm(machine);
  if (done) done = measure_boot(machine);
  if (done) done = start_gate(machine);
  if (done) done = start_monitor(machine, taps);
  return done;
}

Status LabMachineRoom::measure_again(LabMachine const& machine, std::string const& component) {
  auto const paths = machine_paths(state_, machine.name.value());
  auto tpm = open_tpm(paths.tcti());
  if (!tpm) return pass(tpm);
  return measure_component(**tpm, paths.event_log(), kComponentPcr, component,
                           FileContent{paths.bin + "/" + component});
}

}  // namespace shamon
