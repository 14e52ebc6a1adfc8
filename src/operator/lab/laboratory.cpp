#include "operator/lab/laboratory.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "coalition/messages/operator.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr unsigned kAuthorityUid = 61'000;

/// Every file of a guest image, as its manifest lists them, becomes a trusted value for IMA
/// entries.
Status add_manifest(std::string const& path, std::vector<ReferenceValue>& out) {
  auto text = read_text_file(path);
  if (!text) return pass(text);
  json const tree = json::parse(*text, nullptr, false);
  if (!tree.is_object() || !tree.contains("files") || !tree["files"].is_array()) {
    return fail(Errc::malformed, path + " is not a manifest of tools/guest-image/build");
  }
  std::string const image = tree.value("image", "");
  for (auto const& file : tree["files"]) {
    auto bytes = from_hex(file.value("sha256", ""));
    if (!bytes) return pass(bytes, path);
    auto digest = Digest::from_bytes(HashAlgorithm::sha256, *bytes);
    if (!digest) return pass(digest, path);
    out.push_back({"file:" + file.value("path", ""), *digest, true, "image " + image, {}});
  }
  return {};
}

Status check_ground(LabSpec const& spec) {
  if (::geteuid() != 0) {
    return fail(Errc::denied, "a laboratory needs root: it makes network namespaces");
  }
  for (auto const& vm : spec.vms) {
    if (vm.kind != "qemu") continue;
    for (auto const& name :
         {std::string("vmlinux"), vm.image + ".initramfs", vm.image + ".manifest.json"}) {
      std::string const path = spec.images_folder + "/" + name;
      if (::access(path.c_str(), R_OK) != 0) {
        return fail(Errc::not_found,
                    path + " is missing; make the guests' images first: tools/guest-image/build");
      }
    }
  }
  return {};
}

bool is_settled(HostRow const& host) {
  return host.state == "active" || host.state == "refused" || host.state == "revoked";
}

}  // namespace

std::string Laboratory::folder_of(std::string const& name) {
  return lab_root() + "/" + name;
}

Laboratory::Laboratory(LabSpec spec, std::string program_folder)
    : spec_(std::move(spec)), programs_(std::move(program_folder)), state_(folder_of(spec_.name)) {
  room_ = std::make_unique<LabMachineRoom>(spec_, state_, programs_);
}

Laboratory::~Laboratory() {
  if (owned_) (void)tear_down();
}

Status Laboratory::tear_down() {
  owned_ = false;
  return state_.tear_down();
}

Result<std::unique_ptr<Laboratory>> Laboratory::up(LabSpec spec, std::string program_folder,
                                                   Progress progress) {
  auto ground = check_ground(spec);
  if (!ground) return pass(ground);
  std::string const folder = folder_of(spec.name);
  if (fs::exists(folder + "/lab.json")) {
    return fail(Errc::conflict,
                "laboratory '" + spec.name + "' is up already; end it with: shamon lab down");
  }
  std::unique_ptr<Laboratory> lab(new Laboratory(std::move(spec), std::move(program_folder)));
  auto built = lab->build(progress);
  if (!built) return pass(built);
  return lab;
}

Status Laboratory::down(std::string const& name) {
  auto state = LabState::load(folder_of(name));
  if (!state) return pass(state);
  return state->tear_down();
}

Status Laboratory::build(Progress const& progress) {
  auto done = make_owned_folder(state_.folder(), 0755, 0);
  if (!done) return done;
  progress("network: " + std::to_string(spec_.machines.size() + 1) +
           " namespaces joined by one bridge");
  done = build_network(spec_, state_);
  for (auto const& vm : spec_.vms) {
    if (!done || vm.kind != "domain") continue;
    auto tap = build_domain(spec_, vm, state_);
    if (!tap) return pass(tap);
    taps_.emplace(vm.name.value(), std::move(*tap));
  }
  if (done) done = copy_images();
  if (done) done = room_->make_endorser();
  std::vector<ReferenceValue> values;
  for (auto const& machine : spec_.machines) {
    if (!done) return done;
    progress("machine " + machine.name.value() +
             ": TPM with an EK certificate from the laboratory's endorser");
    done = room_->prepare(machine);
    if (done) done = room_->reference_values(machine, values);
    if (done && !machine.tampered.empty())
      done = room_->tamper(machine.name.value(), machine.tampered);
  }
  std::set<std::string> images;
  for (auto const& vm : spec_.vms) {
    if (vm.kind == "qemu") images.insert(vm.image);
  }
  for (auto const& image : images) {
    if (done) done = add_manifest(spec_.images_folder + "/" + image + ".manifest.json", values);
  }
  if (!done) return done;
  progress("authority: policy " + spec_.policy_path + ", " + std::to_string(values.size()) +
           " reference values");
  for (auto const& [folder, mode] : std::vector<std::pair<std::string, unsigned>>{
           {"", 0755}, {"/etc", 0755}, {"/run", 0755}, {"/log", 0755}, {"/state", 0700}}) {
    done = make_owned_folder(state_.folder() + "/authority" + folder, mode, kAuthorityUid);
    if (!done) return done;
  }
  done = write_reference_values(std::move(values));
  if (done) done = write_authority_config();
  if (done) done = start_authority();
  for (auto const& machine : spec_.machines) {
    if (!done) return done;
    progress("machine " + machine.name.value() + ": measured boot, then gate and monitor" +
             (machine.tampered.empty() ? "" : " (its " + machine.tampered + " was altered)"));
    done = room_->boot(machine, taps_);
  }
  return done;
}

/// Into the laboratory's own folder, where the machines' users can read them wherever the checkout
/// is.
Status Laboratory::copy_images() {
  std::string const target = state_.folder() + "/images";
  auto made = make_owned_folder(target, 0755, 0);
  if (!made) return made;
  std::set<std::string> files;
  for (auto const& vm : spec_.vms) {
    if (vm.kind != "qemu") continue;
    files.insert({"vmlinux", vm.image + ".initramfs", vm.image + ".manifest.json"});
  }
  for (auto const& file : files) {
    std::error_code error;
    fs::copy_file(spec_.images_folder + "/" + file, target + "/" + file, error);
    if (error) return fail(Errc::system, "copying " + file + ": " + error.message());
  }
  spec_.images_folder = target;
  return {};
}

Status Laboratory::write_reference_values(std::vector<ReferenceValue> values) {
  json list = json::array();
  std::set<std::pair<std::string, std::string>> seen;
  for (auto const& value : values) {
    std::string const digest = "sha256:" + value.digest.hex();
    if (!seen.emplace(value.component, digest).second) continue;
    list.push_back({{"component", value.component},
                    {"digest", digest},
                    {"trusted", value.trusted},
                    {"source", value.source}});
  }
  json const tree = {{"reference_values", list}};
  return write_file_atomically(state_.folder() + "/authority/etc/reference-values.json",
                               as_bytes(tree.dump(1)), 0644);
}

Status Laboratory::write_authority_config() {
  std::string const root = state_.folder() + "/authority";
  std::string const policy = root + "/etc/" + fs::path(spec_.policy_path).filename().string();
  auto text = read_text_file(spec_.policy_path);
  if (!text) return pass(text);
  auto const alone = standalone_policy(spec_.policy_path, *text,
                                       [](auto const& file) { return read_text_file(file); });
  if (!alone) return fail(Errc::malformed, alone.error().front().describe());
  auto copied = write_file_atomically(policy, as_bytes(*alone), 0644);
  if (!copied) return copied;
  std::string const address = to_string(spec_.authority_address);
  std::string ciphers;
  for (auto const& name : to_names(spec_.ciphers)) ciphers += "\"" + name + "\", ";
  std::string const config =
      "coalition = \"" + spec_.coalition.value() + "\"\npolicy = \"" + policy +
      "\"\nlisten_tls = \"" + address +
      ":8443\"\nserver_names = [\"authority\"]\nserver_addresses = [\"" + address +
      "\"]\nstate_folder = \"" + root + "/state\"\nsocket_folder = \"" + root +
      "/run\"\nendorser_roots = [\"" + room_->ek_root_path() + "\"]\nreference_values = [\"" +
      root + "/etc/reference-values.json\"]\nheartbeat_ms = " + std::to_string(spec_.heartbeat_ms) +
      "\nlease_ms = " + std::to_string(spec_.lease_ms) +
      "\nchallenge_period_ms = " + std::to_string(spec_.challenge_period_ms) + "\nesp_ciphers = [" +
      ciphers +
      "]\nmembership_seconds = 600\nrequired_components = [\"firmware\", \"boot-stage\", "
      "\"shamond\", "
      "\"shamon-gate\", \"config/shamond\", \"config/shamon-gate\"]\n";
  return write_file_atomically(root + "/etc/shamon-authority.toml", as_bytes(config), 0644);
}

Status Laboratory::start_authority() {
  std::string const root = state_.folder() + "/authority";
  std::error_code error;
  fs::copy_file(programs_ + "/shamon-authority", root + "/shamon-authority",
                fs::copy_options::overwrite_existing, error);
  if (error) return fail(Errc::system, "copying shamon-authority: " + error.message());
  auto process = Process::spawn(
      {.arguments = {root + "/shamon-authority", "--config", root + "/etc/shamon-authority.toml"},
       .output_path = root + "/log/shamon-authority.log",
       .network_namespace = namespace_of(spec_, "authority"),
       .uid = kAuthorityUid});
  if (!process) return pass(process);
  auto noted = state_.add_process("authority/shamon-authority", process->pid());
  if (!noted) return noted;
  Instant const end = read_monotonic_clock() + std::chrono::seconds(10);
  for (;;) {
    ApiClient client(authority_socket());
    if (client.get("/livez")) break;
    if (!process->running()) {
      auto log = read_text_file(root + "/log/shamon-authority.log");
      return fail(Errc::system, "the authority ended at once:\n" + log.value_or(""));
    }
    if (read_monotonic_clock() > end) return fail(Errc::timeout, "the authority did not come up");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  process->release();
  // Machines trust this certificate alone; the state folder it comes from is closed to them.
  auto ca = read_file(root + "/state/ca.pem");
  if (!ca) return pass(ca);
  return write_file_atomically(root + "/ca.pem", *ca, 0644);
}

Status Laboratory::kill_authority(int signal) {
  return state_.end_process("authority/shamon-authority", signal);
}

LabMachine const* Laboratory::machine(std::string const& name) const {
  for (auto const& machine : spec_.machines) {
    if (machine.name.value() == name) return &machine;
  }
  return nullptr;
}

LabVm const* Laboratory::vm(std::string const& name) const {
  for (auto const& vm : spec_.vms) {
    if (vm.name.value() == name) return &vm;
  }
  return nullptr;
}

std::string Laboratory::authority_socket() const {
  return state_.folder() + "/authority/run/authority.sock";
}
std::string Laboratory::host_socket(std::string const& machine) const {
  return state_.folder() + "/" + machine + "/run/shamond.sock";
}

std::string Laboratory::console_log_path(std::string const& name) const {
  LabVm const* found = vm(name);
  if (found == nullptr) return "";
  return state_.folder() + "/" + found->machine.value() + "/state/vm/" + name + "/console.log";
}

Status Laboratory::type_on_console(std::string const& name, std::string const& text) {
  LabVm const* found = vm(name);
  if (found == nullptr) return fail(Errc::not_found, "no VM is called '" + name + "'");
  std::string const path =
      state_.folder() + "/" + found->machine.value() + "/state/vm/" + name + "/console.sock";
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::too_large, path + " is too long for a socket");
  std::copy(path.begin(), path.end(), address.sun_path);
  if (!fd ||
      ::connect(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
    return fail_errno("connecting to " + path);
  }
  // A serial line has a small buffer: an operator types slower than we write.
  for (char const c : text) {
    if (::send(fd.get(), &c, 1, MSG_NOSIGNAL) != 1) return fail_errno("typing on " + path);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return {};
}

Status Laboratory::wait_until_settled(Duration limit, Progress progress) {
  ApiClient client(authority_socket());
  Instant const end = read_monotonic_clock() + limit;
  std::set<std::string> told;
  for (;;) {
    std::size_t settled = 0;
    std::set<std::string> active;
    if (auto body = client.get("/v1/hosts")) {
      auto list = decode_json<HostList>(*body);
      for (auto const& host : list ? list->hosts : std::vector<HostRow>{}) {
        if (!is_settled(host)) continue;
        ++settled;
        if (host.state == "active") active.insert(host.host.value());
        if (told.insert(host.host.value()).second) progress(host.host.value() + ": " + host.state);
      }
    }
    std::size_t expected = 0;
    for (auto const& vm : spec_.vms) expected += active.contains(vm.machine.value()) ? 1 : 0;
    std::set<VmName> ready;
    auto const settle = [&](VmEntry const& vm) {
      if (!ready.insert(vm.vm).second || !told.insert("vm " + vm.vm.value()).second) return;
      progress("VM " + vm.vm.value() + " (" + vm.label.value() + ") on " + vm.host.value() + ": " +
               vm.state);
    };
    if (auto body = client.get("/v1/vms")) {
      auto list = decode_json<VmList>(*body);
      for (auto const& vm : list ? list->vms : std::vector<VmEntry>{}) {
        if (vm.state == "running" || vm.state == "failed") settle(vm);
      }
    }
    // A machine's monitor does not report what it refused, nor what is its machine's own affair.
    for (auto const& machine : spec_.machines) {
      if (!active.contains(machine.name.value())) continue;
      auto const body = ApiClient(host_socket(machine.name.value())).get("/v1/host");
      auto const status = body ? decode_json<HostStatus>(*body) : pass(body);
      for (auto const& vm : status ? status->vms : std::vector<VmEntry>{}) {
        bool const own = !machine.machine_policy.empty() && vm.state == "running";
        if (own || vm.state == "failed") settle(vm);
      }
    }
    if (settled == spec_.machines.size() && ready.size() >= expected) return {};
    if (read_monotonic_clock() > end) {
      return fail(Errc::timeout, std::to_string(settled) + " of " +
                                     std::to_string(spec_.machines.size()) + " machines settled, " +
                                     std::to_string(ready.size()) + " of " +
                                     std::to_string(expected) +
                                     " VMs started or refused; logs are in " + state_.folder());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace shamon
