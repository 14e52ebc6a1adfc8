#include "netns/kernel_peer_lab.hpp"

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace shamon::netns {

namespace {

/// It takes 3 on a box that does nothing else, and much longer beside a build.
constexpr int kBootSecondsMax = 120;
constexpr char const* kInnerNet = "10.77.0.0/16";

std::string images() {
  return SHAMON_BIN_DIR "/../images";
}

void must(bool condition, std::string const& what) {
  if (!condition) throw std::runtime_error(what);
}

void must_run(std::string const& command) {
  Ran const ran = run(command);
  must(ran.ok(), command + ": " + ran.output);
}

UniqueFd connect_unix(std::string const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  must(path.size() < sizeof address.sun_path, "path too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
    return {};
  }
  return fd;
}

}  // namespace

std::string KernelPeer::missing() {
  struct Needed {
    char const* program;
    char const* package;
  };
  for (Needed const& needed :
       {Needed{"qemu-system-x86_64", "qemu-system-x86"}, Needed{"cpio", "cpio"},
        Needed{"/bin/busybox", "busybox-static"}, Needed{"socat", "socat"}}) {
    if (!netns::run(fmt::format("sh -c 'command -v {}'", needed.program)).ok()) {
      return fmt::format("needs {} (Debian package {})", needed.program, needed.package);
    }
  }
  for (char const* file : {"/vmlinux", "/esp-modules/order"}) {
    if (::access((images() + file).c_str(), R_OK) != 0) {
      return "needs Debian's kernel (package linux-image-amd64, unpacked and not installed): run "
             "tools/guest-image/build";
    }
  }
  return {};
}

KernelPeer::KernelPeer(GateLab& lab) : lab_(lab) {
  join_underlay();
  start_guest();
}

/// The guest's interface takes the place of the namespace's own.
void KernelPeer::join_underlay() {
  std::string const& ns = lab_.b->ns;
  for (char const* step : {"link add br0 type bridge", "addr flush dev up0",
                           "link set up0 master br0", "tuntap add tap0 mode tap vnet_hdr",
                           "link set tap0 master br0", "link set tap0 up", "link set br0 up"}) {
    must_run(fmt::format("ip -n {} {}", ns, step));
  }
}

void KernelPeer::start_guest() {
  std::string const& folder = lab_.directory;
  Ran const made = netns::run(fmt::format(
      "{0}/tools/guest-image/esp-peer/build {1}/esp-peer.initramfs {2} {3}/tests/esp_in_udp",
      SHAMON_SOURCE_DIR, folder, images(), SHAMON_BIN_DIR));
  must(made.ok(), made.output);
  Instant const begun = read_monotonic_clock();
  // qboot and no default device: the guest is up in the time its kernel takes. Its clocks are those
  // whose rate is known: one that is measured at boot is wrong by factors where QEMU has to wait.
  qemu_ = start(
      fmt::format(
          "qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -accel tcg "
          "-cpu max -M q35 -bios qboot.rom -smp 1 -m 128M -kernel {0}/vmlinux "
          "-initrd {1}/esp-peer.initramfs -append 'console=ttyS0 quiet loglevel=4 panic=-1 "
          "mitigations=off noapictimer clocksource=hpet shamon.outer={2}/30 shamon.inner={3} "
          "shamon.others={4}' "
          "-serial file:{1}/esp-peer.console "
          "-chardev socket,id=shell,path={1}/esp-peer.shell,server=on,wait=off "
          "-device virtio-serial-pci -device virtserialport,chardev=shell -netdev "
          "tap,id=net,ifname=tap0,script=no,downscript=no "
          "-device virtio-net-pci,netdev=net,romfile=",
          images(), folder, lab_.b->address, inner_address(), kInnerNet),
      lab_.b->ns);
  eventually([&] {
    shell_ = connect_unix(folder + "/esp-peer.shell");
    return static_cast<bool>(shell_) || !qemu_.running();
  });
  std::string text;
  must(shell_ && read_until("ready\n", text, kBootSecondsMax),
       "the guest did not come up: " + console());
  boot_seconds_ = static_cast<double>((read_monotonic_clock() - begun).count()) / 1e9;
}

std::string KernelPeer::console() {
  return netns::run("cat " + lab_.directory + "/esp-peer.console").output;
}

bool KernelPeer::read_until(std::string const& end, std::string& text, int seconds_max) {
  Instant const until = read_monotonic_clock() + std::chrono::seconds(seconds_max);
  std::array<char, 4096> buffer;
  while (text.find(end) == std::string::npos) {
    if (read_monotonic_clock() >= until) return false;
    pollfd wait{shell_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 100) != 1) continue;
    ssize_t const got = ::read(shell_.get(), buffer.data(), buffer.size());
    if (got <= 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

Ran KernelPeer::run(std::string const& command, int seconds_max) {
  // In two pieces, so that an echo of the command does not look like its end.
  std::string const line = "{ " + command + "\n} </dev/null 2>&1; echo \"<<end\" \"$?>>\"\n";
  Ran ran;
  std::string_view rest = line;
  while (!rest.empty()) {
    ssize_t const sent = ::send(shell_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) return ran;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  if (!read_until(">>\n", ran.output, seconds_max)) {
    ran.output += " (no answer from the guest) " + console();
    return ran;
  }
  std::size_t const mark = ran.output.rfind("<<end ");
  must(mark != std::string::npos, "the guest's shell said: " + ran.output);
  ran.status = std::atoi(ran.output.c_str() + mark + 6);
  ran.output.resize(mark);
  return ran;
}

Ran KernelPeer::set_tunnel(KernelTunnel const& tunnel) {
  std::string const here = lab_.b->address, gate = lab_.a->address, inner = inner_address();
  auto state = [&](std::string const& from, std::string const& to, KernelState const& keys) {
    return fmt::format(
        "xfrm state add src {} dst {} proto esp spi {:#x} mode tunnel {} aead {} 0x{} 128 "
        "encap espinudp 4500 4500 0.0.0.0\n",
        from, to, keys.spi, tunnel.extra, tunnel.aead, keys.key_hex);
  };
  auto policy = [](std::string const& selector, char const* direction, std::string const& from,
                   std::string const& to) {
    return fmt::format("xfrm policy add {} dir {} tmpl src {} dst {} proto esp mode tunnel\n",
                       selector, direction, from, to);
  };
  // One process: each costs an emulated machine a fifth of a second.
  return run("/bin/ip -batch - <<'END'\nxfrm state flush\nxfrm policy flush\n" +
             state(here, gate, tunnel.out) + state(gate, here, tunnel.in) +
             policy(fmt::format("src {} dst {}", inner, kInnerNet), "out", here, gate) +
             policy(fmt::format("src {} dst {}", kInnerNet, inner), "in", gate, here) + "END");
}

std::uint64_t KernelPeer::counter(std::string const& name) {
  Ran const ran = run("cat /proc/net/xfrm_stat");
  std::istringstream lines(ran.output);
  std::string found;
  for (std::uint64_t value = 0; lines >> found >> value;) {
    if (found == name) return value;
  }
  throw std::runtime_error("no counter " + name + " in " + ran.output);
}

}  // namespace shamon::netns
