// Two machines for tests and benches: namespaces, a veth between them, a real shamon-gate in each,
// and this process in the place of both host monitors. Needs root.
//
//   domain ns ──TAP── gate ns A ══veth 192.0.2.0/30══ gate ns B ──TAP── domain ns
//   10.77.x.y                .1                     .2                 10.77.x.y
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "monitor/monitor.hpp"
#include "policy/compiled_policy.hpp"
#include "tunnel/gate_client.hpp"

namespace shamon::netns {

/// What a command printed (both streams) and how it ended.
struct Ran {
  int status = -1;
  std::string output;
  bool ok() const { return status == 0; }
};
/// Runs a shell command; with `ns` inside that namespace. Ends it after `seconds_max`.
Ran run(std::string const& command, std::string const& ns = {}, int seconds_max = 20);

/// The IPv6 address in a VM's prefix that its domain has.
std::string ipv6_of(std::string const& vm_address);

/// A process of ours, ended with the object.
class Process {
 public:
  Process() = default;
  explicit Process(pid_t pid) : pid_(pid) {}
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept;
  ~Process() { stop(SIGTERM_); }
  pid_t pid() const { return pid_; }
  /// Sends the signal and waits for the end; its wait status.
  int stop(int signal);
  bool running();

 private:
  static constexpr int SIGTERM_ = 15;
  pid_t pid_ = -1;
};
/// Starts a shell command inside a namespace.
Process start(std::string const& command, std::string const& ns);
/// Asks `condition` every few milliseconds until it holds or the time is over.
bool eventually(std::function<bool()> const& condition, int milliseconds_max = 3000);

/// One machine: its namespace, gate and the monitor that plays shamond's.
class Machine {
 public:
  Machine(std::string name, std::string ns, std::string address, std::string directory);
  Machine(Machine const&) = delete;
  Machine& operator=(Machine const&) = delete;

  void start_gate(std::string const& extra = {});
  int kill_gate(int signal);
  bool gate_running() { return gate_.running(); }
  pid_t gate_pid() const { return gate_.pid(); }
  void connect();
  void disconnect() { client_.reset(); }
  /// Receives what waits; keeps it in `events`.
  void pump();
  /// Waits for the answer to a command: Done or the refusal's text.
  Status answer(Result<std::uint32_t> const& sequence, gate::Done* done = nullptr);

  Status load_policy(std::string const& text);
  /// A domain with one TAP; its namespace is returned by domain().
  Status attach_domain(std::uint32_t port, std::string const& vm, std::string const& label,
                       std::string const& address, int mtu = 1420);
  Status attach_socket(std::uint32_t port, std::string const& vm, std::string const& label,
                       std::string const& address, MacAddress mac, gate::PortKind kind,
                       UniqueFd descriptor, int mtu = 1420);
  Status attach(std::uint32_t port, std::string const& vm, std::string const& label,
                std::string const& address, MacAddress mac, gate::PortKind kind,
                std::span<UniqueFd const> descriptors, int mtu);
  Result<std::uint32_t> detach(std::uint32_t port) { return client_->detach_port(PortId(port)); }
  /// The gate's end of a services' socket.
  Status attach_services(UniqueFd const& socket);
  Status open(std::uint32_t id, std::string const& label, AssociationSpec spec,
              AssociationKeys keys);
  Status close(std::uint32_t id, std::string const& label,
               gate::CloseReason reason = gate::CloseReason::asked, gate::Done* done = nullptr);
  Status route(std::string const& address, std::string const& vm, std::string const& label,
               std::string const& peer);
  Status routes_are_whole();
  Status lease(double seconds);
  Status detach_port(std::uint32_t port);
  Status open_share(SharePermits permits, ShareSpec const& spec);
  Status join_share(std::uint32_t channel, gate::ShareSide side, gate::ShareView view,
                    UniqueFd socket);
  Status close_share(std::uint32_t channel);
  /// By port (id, 0), association (0, id) or the total (0, 0).
  gate::Statistics statistics(std::uint32_t port = 0, std::uint32_t association = 0);
  /// Audit events so far that match.
  std::vector<gate::Audit> audits(Hook hook, Verdict verdict);
  /// Waits for one of them.
  bool audited(Hook hook, Verdict verdict,
               std::function<bool(gate::Audit const&)> const& matches = {});

  template <class E>
  std::vector<E> of() {
    pump();
    std::vector<E> found;
    for (auto const& event : events) {
      if (auto const* e = std::get_if<E>(&event)) found.push_back(*e);
    }
    return found;
  }

  std::string name, ns, address, directory;
  unsigned workers = 1;  ///< of the gate; a domain's TAP has as many queues
  std::string gate_program = SHAMON_BIN_DIR "/shamon-gate";
  unsigned busy_poll = 0;  ///< of the gate, in microseconds
  std::vector<GateClient::Event> events;
  bool gone = false;  ///< the control connection ended
  Monitor monitor;
  std::shared_ptr<CompiledPolicy const> policy;

 private:
  LabelId label_id(std::string const& label) const;
  Process gate_;
  std::optional<GateClient> client_;
  std::uint32_t next_memory_ = 0;
  std::deque<std::vector<UniqueFd>> taps_;  ///< kept, as a host monitor keeps them
};

class GateLab {
 public:
  struct Options {
    int mtu = 1500;        ///< of the underlay
    unsigned workers = 1;  ///< of each gate
    bool ipv6 = false;     ///< the underlay is 2001:db8::/64
    bool extended_sequence = false;
    unsigned busy_poll = 0;  ///< of each gate, in microseconds
  };
  /// Makes the namespaces and the veth.
  explicit GateLab(int mtu = 1500) : GateLab(Options{.mtu = mtu}) {}
  explicit GateLab(Options const& options);
  ~GateLab();
  GateLab(GateLab const&) = delete;
  GateLab& operator=(GateLab const&) = delete;

  /// Starts both gates, connects, loads the policy, gives a long lease.
  void up(std::string const& policy_text);
  /// Keys both ends agree on; `label_a` and `label_b` differ only in tests of confusion.
  Status open_pair(std::uint32_t id, std::string const& label, bool replaces = false,
                   bool wrong_key = false);
  /// A domain and its namespace; the other machine gets a route to it.
  Status domain(Machine& machine, std::uint32_t port, std::string const& vm,
                std::string const& label, std::string const& address, int mtu = 1420);
  /// The same without a route, where the other machine has no gate.
  Status lone_domain(Machine& machine, std::uint32_t port, std::string const& vm,
                     std::string const& label, std::string const& address, int mtu = 1420);
  std::string domain_ns(std::string const& vm) const { return prefix_ + vm; }
  Machine& other(Machine& machine) { return &machine == a.get() ? *b : *a; }
  std::string const& prefix() const { return prefix_; }

  std::string directory;
  std::unique_ptr<Machine> a, b;
  /// "0x<key ‖ salt>" of the last pair: a -> b and b -> a, with their SPIs.
  struct Shown {
    std::uint32_t spi;
    std::string key_hex;
  };
  std::vector<Shown> shown_keys;

 private:
  Options options_;
  std::string prefix_;
  std::vector<std::string> namespaces_;
};

/// Two labels that must not talk, and one that may with each only by what is said.
inline constexpr char const* kPolicyText =
    "coalition test revision 1\n"
    "type green_t red_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "allow green <-> green\n"
    "allow red <-> red\n";

}  // namespace shamon::netns
