#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ipv4_text.hpp"
#include "netns/missing_package.hpp"
#include "netns/qemu_guest.hpp"
#include "vm/limits.hpp"

namespace shamon::netns {

namespace {

constexpr char const* kImages = SHAMON_BIN_DIR "/../images";

void must(bool condition, std::string const& what) {
  if (!condition) throw std::runtime_error(what);
}

std::pair<UniqueFd, UniqueFd> socket_pair(int type) {
  int ends[2];
  must(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd listen_at(std::string const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  must(::bind(socket.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0 &&
           ::listen(socket.get(), 1) == 0,
       "listen at " + path);
  return socket;
}

bool is_of_vtpm(std::string const& value) {
  return value.starts_with("socket,id=vtpm,") || value.starts_with("emulator,id=tpm,") ||
         value.starts_with("tpm-crb,");
}

}  // namespace

std::string QemuGuest::missing() {
  std::string const package = missing_package(
      {{"qemu-system-x86_64", "qemu-system-x86"}, {"socat", "socat"}, {"cpio", "cpio"}});
  if (!package.empty()) return "SKIPPED: install Debian package " + package;
  for (char const* file : {"/vmlinux", "/red.initramfs"}) {
    if (::access((std::string(kImages) + file).c_str(), R_OK) != 0) {
      return "SKIPPED: make the guests' images first: tools/guest-image/build";
    }
  }
  return {};
}

QemuGuest::Options QemuGuest::v1(std::string const& folder, bool packed_ring) {
  Options options;
  options.spec.name = VmName("v1");
  options.spec.address = *parse_ipv4(kGuestAddress);
  options.spec.mac = kGuestMac;
  options.spec.nic = Nic::vhost_user;
  options.spec.packed_ring = packed_ring;
  options.folder = folder;
  return options;
}

QemuGuest::QemuGuest(Options options) : options_(std::move(options)) {
  VmSpec& spec = options_.spec;
  spec.kind = "qemu";
  spec.memory_mb = 128;
  spec.state_folder = options_.folder;
  spec.kernel = std::string(kImages) + "/vmlinux";
  spec.initrd = std::string(kImages) + "/red.initramfs";
  std::filesystem::create_directories(options_.folder);
  add_programs();
  make_card();
  auto [qmp, their_qmp] = socket_pair(SOCK_STREAM);
  auto [agent, their_agent] = socket_pair(SOCK_STREAM);
  qmp_socket_ = std::move(qmp);
  agent_ = std::move(agent);
  QemuDescriptors const descriptors{their_port_.get(), -1, their_agent.get(), their_qmp.get()};
  std::vector<int> inherited{their_agent.get(), their_qmp.get()};
  if (their_port_) inherited.push_back(their_port_.get());
  auto started = starter_.start({arguments(descriptors), inherited, options_.folder + "/qemu.log"});
  must(started.has_value(), "qemu-system-x86_64");
  process_ = *std::move(started);
  their_port_.reset();
}

void QemuGuest::make_card() {
  if (options_.spec.nic == Nic::vhost_user) {
    port_ = listen_at(vhost_user_socket_path(options_.spec));
    return;
  }
  std::tie(port_, their_port_) = socket_pair(SOCK_DGRAM);
  for (int const fd : {port_.get(), their_port_.get()}) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kPortSocketBytes, sizeof kPortSocketBytes);
  }
}

/// The kernel unpacks one archive after the other.
void QemuGuest::add_programs() {
  if (options_.programs.empty()) return;
  std::string const initrd = options_.folder + "/initrd";
  std::string words;
  for (std::string const& program : options_.programs) words += " " + program;
  Ran const made = netns::run(fmt::format(
      "sh -c '{{ for f in {0}; do echo $f; ldd $f | grep -o \"/[^ ]*\"; done; }} | sort -u | "
      "cpio --quiet -L -o -H newc > {1}.more && cat {2} {1}.more > {1}'",
      words, initrd, options_.spec.initrd));
  must(made.ok(), made.output);
  options_.spec.initrd = initrd;
}

std::vector<std::string> QemuGuest::arguments(QemuDescriptors const& descriptors) const {
  std::vector<std::string> all =
      qemu_arguments("qemu-system-x86_64", options_.spec, descriptors, Accelerator::tcg);
  std::vector<std::string> changed{all.front()};
  for (std::size_t i = 1; i < all.size(); ++i) {
    bool const has_value = all[i] != "-nodefaults" && all[i] != "-no-user-config" &&
                           all[i] != "-no-reboot" && i + 1 < all.size();
    std::string const& name = all[i];
    if (!has_value) {
      changed.push_back(name);
      continue;
    }
    std::string value = all[++i];
    if (is_of_vtpm(value)) continue;
    if (name == "-object" && !options_.memory_object.empty()) value = options_.memory_object;
    changed.insert(changed.end(), {name, value});
  }
  if (!options_.incoming.empty()) changed.insert(changed.end(), {"-incoming", options_.incoming});
  return changed;
}

UniqueFd QemuGuest::port() const {
  return UniqueFd(::fcntl(port_.get(), F_DUPFD_CLOEXEC, 0));
}

Status QemuGuest::attach_v1(Machine& machine) const {
  return machine.attach_socket(kGuestPort, "v1", "green", kGuestAddress, kGuestMac,
                               gate::PortKind::vhost_user, port());
}

bool QemuGuest::has_booted(int seconds_max) {
  // QEMU makes the socket soon after it starts.
  bool const there = eventually(
      [&] {
        console_.emplace(console_socket_path(options_.spec));
        return static_cast<bool>(*console_) || !running();
      },
      seconds_max * 1000);
  return there && *console_ && console_->run("true", seconds_max).ok();
}

GuestConsole& QemuGuest::console() {
  if (!console_) console_.emplace(console_socket_path(options_.spec));
  return *console_;
}

Ran QemuGuest::run(std::string const& command, int seconds_max) {
  return console().run(command, seconds_max);
}

bool QemuGuest::start(std::string const& command) {
  return console().start(command);
}

std::string QemuGuest::ask(std::string const& command, std::string const& arguments) {
  if (!qmp_) {
    auto opened = QmpConnection::open(std::move(qmp_socket_));
    if (!opened) return opened.error().describe();
    qmp_ = *std::move(opened);
  }
  auto const answer = qmp_->ask(command, arguments);
  return answer ? *answer : answer.error().describe();
}

std::string QemuGuest::told() const {
  return netns::run("tail -n 20 " + options_.folder + "/qemu.log " + options_.folder +
                    "/console.log")
      .output;
}

}  // namespace shamon::netns
