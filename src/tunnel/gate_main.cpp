// shamon-gate: opens its sockets, gives up its rights, forwards.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <sched.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ipv4_text.hpp"
#include "crypto/aead.hpp"
#include "tunnel/gate.hpp"
#include "tunnel/interface_mtu.hpp"
#include "tunnel/sandbox.hpp"
#include "tunnel/underlay_filter.hpp"

namespace {

using namespace shamon;

constexpr char kUsage[] =
    "usage: shamon-gate --listen-udp ADDRESS:PORT --control PATH [--control-uid UID]\n"
    "                   [--workers N] [--busy-poll MICROSECONDS] [--copy-dscp] [--user UID]\n"
    "                   [--group GID] [--ready-fd N] [--foreground]\n"
    "\n"
    "Enforces the coalition's policy on every packet between VMs. Its host monitor (shamond)\n"
    "commands it over the UNIX socket PATH, which only UID and root may use. After start it keeps\n"
    "no capability; with --user and --group it becomes that user. --workers threads carry packets\n"
    "(1 to 16; by default one for each processor it may run on). With --busy-poll (0 to 1000; by\n"
    "default 0) each looks for more packets for so long after the last before it sleeps.\n"
    "--copy-dscp shows the class of a VM's packets on the outer ones. An IPv6 ADDRESS is written\n"
    "[ADDRESS]:PORT. --ready-fd gets one byte when the gate is ready. It always runs in the\n"
    "foreground.\n";

unsigned default_workers() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&set)), 1u, kLanesMax);
}

struct Options {
  Endpoint listen;
  std::string control;
  uid_t control_uid = ::geteuid();
  SandboxOptions sandbox;
  unsigned workers = default_workers();
  GateOptions gate;
  int ready_fd = -1;
};

std::optional<unsigned> to_number(std::string_view text) {
  unsigned value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Options> parse_options(int count, char** words) {
  Options options;
  bool listens = false;
  for (int i = 1; i < count; ++i) {
    std::string_view const name = words[i];
    if (name == "--foreground") continue;
    if (name == "--copy-dscp") {
      options.gate.copy_dscp = true;
      continue;
    }
    if (i + 1 == count) return fail(Errc::invalid, std::string(name) + ": unknown, or no value");
    std::string const value = words[++i];
    std::optional<unsigned> const number = to_number(value);
    if (name == "--listen-udp") {
      Result<Endpoint> const endpoint = parse_endpoint(value);
      if (!endpoint) return pass(endpoint, name);
      options.listen = *endpoint;
      listens = true;
    } else if (name == "--control") {
      options.control = value;
    } else if (!number) {
      return fail(Errc::invalid, std::string(name) + " " + value + ": not understood");
    } else if (name == "--control-uid") {
      options.control_uid = *number;
    } else if (name == "--user") {
      options.sandbox.user = *number;
    } else if (name == "--group") {
      options.sandbox.group = *number;
    } else if (name == "--workers") {
      if (*number < 1 || *number > kLanesMax) return fail(Errc::invalid, "--workers: 1 to 16");
      options.workers = *number;
    } else if (name == "--busy-poll") {
      options.gate.busy_poll = std::chrono::microseconds(*number);
      if (options.gate.busy_poll > kBusyPollMax) {
        return fail(Errc::invalid, "--busy-poll: 0 to 1000 microseconds");
      }
    } else if (name == "--ready-fd") {
      options.ready_fd = static_cast<int>(*number);
    } else {
      return fail(Errc::invalid, std::string(name) + ": unknown option");
    }
  }
  if (!listens || options.control.empty()) {
    return fail(Errc::invalid, "--listen-udp and --control are needed");
  }
  return options;
}

/// SIGTERM and SIGINT as a descriptor.
Result<UniqueFd> open_stop_signal() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno("sigprocmask");
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail_errno("signalfd");
  return fd;
}

/// Crypto libraries choose their code and read their configuration at first use.
Status warm_up_crypto() {
  std::array<std::uint8_t, kAeadMaterialBytesMax> const material{};
  for (AeadAlgorithm algorithm : kAeadAlgorithms) {
    Result<AeadKey> made =
        AeadKey::create(algorithm, std::span(material).first(aead_material_bytes(algorithm)));
    if (!made) return pass(made, "crypto");
    std::array<std::uint8_t, 64> memory{};
    std::span<std::uint8_t> const all(memory);
    AeadJob job{all.first(8), all.subspan(8, 8), all.subspan(16, 32), all.last(16), false};
    made->seal({&job, 1});
    made->open({&job, 1});
    if (!job.ok) {
      return fail(Errc::crypto, std::string(to_string(algorithm)) + ": self test failed");
    }
  }
  return {};
}

Status run(Options const& options) {
  Result<UniqueFd> const stop = open_stop_signal();
  if (!stop) return pass(stop);
  if (Status warm = warm_up_crypto(); !warm) return warm;
  Result<std::vector<Underlay>> underlay = Underlay::bind(options.listen, options.workers);
  if (!underlay) return pass(underlay);
  Result<UnderlayFilter> filter = UnderlayFilter::create();
  Result<ControlServer> control = ControlServer::listen(options.control, options.control_uid);
  if (!control) return pass(control);
  std::uint16_t const mtu = interface_mtu(options.listen.address);
  // The threads of the gate begin without rights; the filter then holds for all of them.
  if (Status dropped = drop_rights(options.sandbox); !dropped) return dropped;
  Status const filters = filter ? filter->check_usable() : Status(pass(filter));
  GateOptions how = options.gate;
  how.tunnel_mtu = esp_inner_mtu(mtu, ip_header_bytes(options.listen.address));
  Result<std::unique_ptr<Gate>> gate =
      Gate::create(*std::move(underlay), how, *std::move(control),
                   filters ? std::optional(*std::move(filter)) : std::nullopt);
  if (!gate) return pass(gate);
  if (Status boxed = filter_system_calls(); !boxed) return boxed;
  std::fprintf(stderr, "shamon-gate: ready on %s (MTU %u, %s, %u workers), control %s\n",
               to_string(options.listen).c_str(), mtu, aead_implementation(), options.workers,
               options.control.c_str());
  // It works without, only a flood then costs more.
  if (!filters) {
    std::fprintf(stderr, "shamon-gate: no filter in the kernel: %s\n",
                 filters.error().describe().c_str());
  }
  if (options.ready_fd >= 0) {
    char const byte = '1';
    if (::write(options.ready_fd, &byte, 1) != 1) return fail_errno("--ready-fd");
    ::close(options.ready_fd);
  }
  return (*gate)->run(stop->get());
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::string_view(words[1]) == "--help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  Result<Options> const options = parse_options(count, words);
  if (!options) {
    std::fprintf(stderr, "shamon-gate: %s\n%s", options.error().describe().c_str(), kUsage);
    return 2;
  }
  if (Status const done = run(*options); !done) {
    std::fprintf(stderr, "shamon-gate: %s\n", done.error().describe().c_str());
    return 1;
  }
  return 0;
}
