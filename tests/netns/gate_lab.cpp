#include "netns/gate_lab.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/ipv4_text.hpp"
#include "policy/source.hpp"
#include "tunnel/limits.hpp"

namespace shamon::netns {

namespace {

constexpr int kUnderlayPort = 4500;

void must(bool condition, std::string const& what) {
  if (!condition) throw std::runtime_error(what);
}

void must_run(std::string const& command) {
  Ran const ran = run(command);
  must(ran.ok(), command + ": " + ran.output);
}

std::string in_namespace(std::string const& command, std::string const& ns) {
  return ns.empty() ? command : fmt::format("ip netns exec {} {}", ns, command);
}

pid_t spawn(std::string const& command, std::string const& ns, int output) {
  std::string const line = "exec " + in_namespace(command, ns);
  pid_t const pid = ::fork();
  must(pid >= 0, "fork");
  if (pid != 0) return pid;
  int const null = ::open("/dev/null", O_RDWR);
  ::dup2(null, 0);
  ::dup2(output >= 0 ? output : null, 1);
  ::dup2(output >= 0 ? output : null, 2);
  ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
  ::_exit(127);
}

MacAddress mac_of(Ipv4 address) {
  auto byte = [&](int shift) { return static_cast<std::uint8_t>(address.bits >> shift); };
  return {{0x02, 0x00, byte(24), byte(16), byte(8), byte(0)}};
}

/// In the caller's network namespace; the device exists as long as a queue of it is open.
Result<UniqueFd> create_tap(std::string const& name, bool multi_queue) {
  UniqueFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tap) return fail_errno("open /dev/net/tun");
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return fail(Errc::too_large, "TAP name too long");
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (multi_queue) request.ifr_flags |= IFF_MULTI_QUEUE;
  if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) return fail_errno("TUNSETIFF " + name);
  return tap;
}

/// The queues of one device.
std::vector<UniqueFd> create_tap_in(std::string const& ns, std::string const& device,
                                    unsigned queues) {
  UniqueFd const here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  UniqueFd const there(::open(("/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC));
  must(::setns(there.get(), CLONE_NEWNET) == 0, "setns " + ns);
  std::vector<UniqueFd> made;
  while (made.size() < queues) {
    Result<UniqueFd> tap = create_tap(device, queues > 1);
    if (!tap) break;
    made.push_back(*std::move(tap));
  }
  must(::setns(here.get(), CLONE_NEWNET) == 0, "setns back");
  must(made.size() == queues, "create TAP");
  return made;
}

}  // namespace

std::string ipv6_of(std::string const& vm_address) {
  Ipv4 const v4 = *parse_ipv4(vm_address);
  return fmt::format("fd53:4841:{:x}:{:x}::1", v4.bits >> 16, v4.bits & 0xffff);
}

Ran run(std::string const& command, std::string const& ns, int seconds_max) {
  std::string const line =
      fmt::format("timeout -k 1 {} {}", seconds_max, in_namespace(command, ns));
  Ran ran;
  FILE* const pipe = ::popen(("{ " + line + " ; } 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer;
  while (std::size_t const got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    ran.output.append(buffer.data(), got);
  }
  int const status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ran;
}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    stop(SIGTERM);
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

int Process::stop(int signal) {
  if (pid_ <= 0) return 0;
  ::kill(pid_, signal);
  int status = 0;
  for (int i = 0; i < 200; ++i) {
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return status;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

bool Process::running() {
  if (pid_ <= 0) return false;
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

Process start(std::string const& command, std::string const& ns) {
  return Process(spawn(command, ns, -1));
}

bool eventually(std::function<bool()> const& condition, int milliseconds_max) {
  Instant const end = read_monotonic_clock() + std::chrono::milliseconds(milliseconds_max);
  // Most answers of a gate are there at once: thousands of commands must not wait 5 ms each.
  auto pause = std::chrono::microseconds(20);
  do {
    if (condition()) return true;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
  } while (read_monotonic_clock() < end);
  return condition();
}

Machine::Machine(std::string name_, std::string ns_, std::string address_, std::string directory_)
    : name(std::move(name_)),
      ns(std::move(ns_)),
      address(std::move(address_)),
      directory(std::move(directory_)),
      monitor([](AuditRecord const&) {}),
      policy(std::make_shared<CompiledPolicy const>()) {}

void Machine::start_gate(std::string const& extra) {
  int ready[2];
  must(::pipe(ready) == 0, "pipe");
  std::string const log = directory + "/" + name + ".log";
  UniqueFd const output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  std::string const command = fmt::format(
      "{} --listen-udp {} --control {}/{}.gate --workers {} --busy-poll {} "
      "--ready-fd {} {}",
      gate_program, to_string(Endpoint{*parse_ip(address), kUnderlayPort}), directory, name,
      workers, busy_poll, ready[1], extra);
  gate_ = Process(spawn(command, ns, output.get()));
  ::close(ready[1]);
  pollfd wait{ready[0], POLLIN, 0};
  char byte = 0;
  bool const up = ::poll(&wait, 1, 5000) == 1 && ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  must(up, "shamon-gate did not start, see " + run("cat " + log).output);
}

int Machine::kill_gate(int signal) {
  return gate_.stop(signal);
}

void Machine::connect() {
  Result<GateClient> client = GateClient::connect(directory + "/" + name + ".gate");
  must(client.has_value(), "connect to gate");
  client_ = *std::move(client);
  gone = false;
}

void Machine::pump() {
  while (client_) {
    auto event = client_->receive();
    if (!event) {
      gone = true;
      return;
    }
    if (!*event) return;
    events.push_back(**event);
  }
}

Status Machine::answer(Result<std::uint32_t> const& sequence, gate::Done* done) {
  if (!sequence) return pass(sequence);
  std::optional<Status> result;
  std::size_t seen = 0;
  eventually([&] {
    pump();
    for (; seen < events.size() && !result; ++seen) {
      if (auto const* d = std::get_if<gate::Done>(&events[seen])) {
        if (d->header.sequence != *sequence) continue;
        if (done != nullptr) *done = *d;
        result = Status{};
      } else if (auto const* r = std::get_if<gate::Refused>(&events[seen])) {
        if (r->header.sequence != *sequence) continue;
        result = Status(fail(static_cast<Errc>(r->errc), r->text.data()));
      }
    }
    return result.has_value() || gone;
  });
  // Sequences start again with each connection, so answers are used once.
  std::erase_if(events, [&](auto const& e) {
    return std::holds_alternative<gate::Done>(e) || std::holds_alternative<gate::Refused>(e);
  });
  return result ? *result : Status(fail(Errc::timeout, "no answer from the gate"));
}

Status Machine::load_policy(std::string const& text) {
  auto built = build_policy("test.policy", text);
  if (!built) return fail(Errc::malformed, built.error().front().describe());
  auto next = std::make_shared<CompiledPolicy const>(std::move(built->compiled));
  auto permit = monitor.authorize(PolicyLoad{next->revision(), true}, read_wall_clock());
  if (!permit) return fail(Errc::denied, "policy_load");
  auto const sequence = client_->load_policy(*permit, *next);
  Status const done = answer(sequence);
  if (!done) return done;
  policy = next;
  monitor.load(*std::move(permit), next);
  return {};
}

LabelId Machine::label_id(std::string const& label) const {
  return policy->find_label(LabelName(label)).value_or(LabelId(0));
}

Status Machine::attach_socket(std::uint32_t port, std::string const& vm, std::string const& label,
                              std::string const& vm_address, MacAddress mac, gate::PortKind kind,
                              UniqueFd descriptor, int mtu) {
  return attach(port, vm, label, vm_address, mac, kind, {&descriptor, 1}, mtu);
}

Status Machine::attach(std::uint32_t port, std::string const& vm, std::string const& label,
                       std::string const& vm_address, MacAddress mac, gate::PortKind kind,
                       std::span<UniqueFd const> descriptors, int mtu) {
  // label_id() falls back to a known label: the gate must be the one who refuses.
  auto permit = monitor.authorize(
      PortAttach{VmName(vm), label_id(label), PortId(port), *parse_ipv4(vm_address)},
      read_wall_clock());
  if (!permit) return fail(Errc::denied, "port_attach by the host monitor");
  return answer(client_->attach_port(*std::move(permit), kind, LabelName(label), mac,
                                     static_cast<std::uint16_t>(mtu), descriptors));
}

Status Machine::attach_domain(std::uint32_t port, std::string const& vm, std::string const& label,
                              std::string const& vm_address, int mtu) {
  std::string const domain = ns.substr(0, ns.rfind('-') + 1) + vm;
  std::vector<UniqueFd> const& tap = taps_.emplace_back(create_tap_in(domain, "vm0", workers));
  MacAddress const mac = mac_of(*parse_ipv4(vm_address));
  must_run("ip -n " + domain + " link set lo up");
  must_run("ip -n " + domain + " link set vm0 address " + to_string(mac) + " mtu " +
           std::to_string(mtu) + " up");
  must_run("ip -n " + domain + " addr add " + vm_address + "/16 dev vm0");
  must_run("ip -n " + domain + " addr add " + ipv6_of(vm_address) + "/32 dev vm0 nodad");
  return attach(port, vm, label, vm_address, mac, gate::PortKind::tap, tap, mtu);
}

Status Machine::attach_services(UniqueFd const& socket) {
  return answer(client_->attach_services(socket));
}

Status Machine::open(std::uint32_t id, std::string const& label, AssociationSpec spec,
                     AssociationKeys keys) {
  auto permit = monitor.authorize(
      AssociationOpen{AssociationId(id), spec.peer_name, label_id(label), true, true},
      read_wall_clock());
  if (!permit) return fail(Errc::denied, "association_open by the host monitor");
  return answer(client_->open_association(*std::move(permit), spec, std::move(keys)));
}

Status Machine::close(std::uint32_t id, std::string const& label, gate::CloseReason reason,
                      gate::Done* done) {
  auto permit = monitor.authorize(
      AssociationClose{AssociationId(id), HostName("peer"), label_id(label)}, read_wall_clock());
  return answer(client_->close_association(*std::move(permit), reason), done);
}

Status Machine::route(std::string const& vm_address, std::string const& vm,
                      std::string const& label, std::string const& peer) {
  return answer(
      client_->set_route(*parse_ipv4(vm_address), VmName(vm), LabelName(label), HostName(peer)));
}

Status Machine::detach_port(std::uint32_t port) {
  return answer(client_->detach_port(PortId(port)));
}

Status Machine::open_share(SharePermits permits, ShareSpec const& spec) {
  return answer(client_->open_share(std::move(permits), spec));
}

Status Machine::join_share(std::uint32_t channel, gate::ShareSide side, gate::ShareView view,
                           UniqueFd socket) {
  return answer(client_->join_share(ChannelId(channel), side, view, std::move(socket)));
}

Status Machine::close_share(std::uint32_t channel) {
  return answer(client_->close_share(ChannelId(channel)));
}

Status Machine::routes_are_whole() {
  return answer(client_->routes_are_whole());
}

Status Machine::lease(double seconds) {
  auto const length = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  return answer(client_->set_lease(read_monotonic_clock() + length));
}

gate::Statistics Machine::statistics(std::uint32_t port, std::uint32_t association) {
  auto const sequence = client_->request_statistics();
  std::optional<gate::Statistics> found;
  must(sequence && eventually([&] {
         pump();
         bool ended = false;
         for (auto const& event : events) {
           if (auto const* s = std::get_if<gate::Statistics>(&event)) {
             if (s->port == port && s->association == association) found = *s;
           }
           ended = ended || std::holds_alternative<gate::StatisticsEnd>(event);
         }
         return ended || gone;
       }),
       "statistics");
  std::erase_if(events, [](auto const& e) {
    return std::holds_alternative<gate::Statistics>(e) ||
           std::holds_alternative<gate::StatisticsEnd>(e);
  });
  must(found.has_value(), "no such statistics");
  return *found;
}

std::vector<gate::Audit> Machine::audits(Hook hook, Verdict verdict) {
  std::vector<gate::Audit> found;
  for (gate::Audit const& audit : of<gate::Audit>()) {
    if (audit.hook == static_cast<std::uint32_t>(hook) &&
        audit.verdict == static_cast<std::uint32_t>(verdict)) {
      found.push_back(audit);
    }
  }
  return found;
}

bool Machine::audited(Hook hook, Verdict verdict,
                      std::function<bool(gate::Audit const&)> const& matches) {
  return eventually([&] {
    for (gate::Audit const& audit : audits(hook, verdict)) {
      if (!matches || matches(audit)) return true;
    }
    return false;
  });
}

GateLab::GateLab(Options const& options) : options_(options) {
  std::array<char, 32> pattern{"/tmp/shamon-gate-XXXXXX"};
  must(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  directory = pattern.data();
  prefix_ = "sg" + std::to_string(::getpid()) + "-";
  std::string const ns_a = prefix_ + "a", ns_b = prefix_ + "b";
  for (std::string const& ns : {ns_a, ns_b}) {
    must_run("ip netns add " + ns);
    namespaces_.push_back(ns);
    must_run("ip -n " + ns + " link set lo up");
  }
  must_run("ip -n " + ns_a + " link add up0 type veth peer name up0 netns " + ns_b);
  std::string const set = " link set up0 up mtu " + std::to_string(options.mtu);
  std::string const network = options.ipv6 ? "2001:db8::" : "192.0.2.";
  std::string const rest = options.ipv6 ? "/64 dev up0 nodad" : "/30 dev up0";
  must_run("ip -n " + ns_a + " addr add " + network + "1" + rest);
  must_run("ip -n " + ns_b + " addr add " + network + "2" + rest);
  must_run("ip -n " + ns_a + set);
  must_run("ip -n " + ns_b + set);
  a = std::make_unique<Machine>("a", ns_a, network + "1", directory);
  b = std::make_unique<Machine>("b", ns_b, network + "2", directory);
  a->workers = b->workers = options.workers;
  a->busy_poll = b->busy_poll = options.busy_poll;
}

GateLab::~GateLab() {
  a.reset();
  b.reset();
  for (std::string const& ns : namespaces_) run("ip netns del " + ns);
  run("rm -rf " + directory);
}

void GateLab::up(std::string const& policy_text) {
  for (Machine* machine : {a.get(), b.get()}) {
    machine->start_gate();
    machine->connect();
    Status const loaded = machine->load_policy(policy_text);
    must(loaded.has_value(), loaded ? "" : loaded.error().describe());
    must(machine->lease(3600).has_value(), "lease");
  }
}

Status GateLab::open_pair(std::uint32_t id, std::string const& label, bool replaces,
                          bool wrong_key) {
  std::array<std::uint8_t, 72> keys{};
  must(::getrandom(keys.data(), keys.size(), 0) == static_cast<ssize_t>(keys.size()), "getrandom");
  auto const a_to_b = std::span<const std::uint8_t, 72>(keys).first<36>();
  auto const b_to_a = std::span<const std::uint8_t, 72>(keys).last<36>();
  AssociationSpec spec;
  spec.peer = {*parse_ip(b->address), kUnderlayPort};
  spec.spi_out = Spi(0x10000 + id * kLanesMax);
  spec.spi_in = Spi(0x20000 + id * kLanesMax);
  spec.lanes = std::max(a->workers, b->workers);
  spec.extended_sequence = options_.extended_sequence;
  spec.peer_name = HostName(b->name);
  spec.label = LabelName(label);
  spec.revision = a->policy->revision();
  spec.replaces = replaces;
  spec.peer_member = spec.peer_attested = true;
  Status const at_a = a->open(id, label, spec, {Secret<36>(b_to_a), Secret<36>(a_to_b)});
  if (!at_a) return at_a;
  shown_keys.push_back({spec.spi_out.value(), to_hex(a_to_b)});
  shown_keys.push_back({spec.spi_in.value(), to_hex(b_to_a)});
  std::swap(spec.spi_in, spec.spi_out);
  spec.peer.address = *parse_ip(a->address);
  spec.peer_name = HostName(a->name);
  spec.revision = b->policy->revision();
  if (wrong_key) keys[0] ^= 1;
  return b->open(id, label, spec, {Secret<36>(a_to_b), Secret<36>(b_to_a)});
}

Status GateLab::lone_domain(Machine& machine, std::uint32_t port, std::string const& vm,
                            std::string const& label, std::string const& address, int mtu) {
  must_run("ip netns add " + domain_ns(vm));
  namespaces_.push_back(domain_ns(vm));
  return machine.attach_domain(port, vm, label, address, mtu);
}

Status GateLab::domain(Machine& machine, std::uint32_t port, std::string const& vm,
                       std::string const& label, std::string const& address, int mtu) {
  Status const attached = lone_domain(machine, port, vm, label, address, mtu);
  if (!attached) return attached;
  return other(machine).route(address, vm, label, machine.name);
}

}  // namespace shamon::netns
