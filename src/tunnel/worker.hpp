// One core's share of the gate: a whole packet path with tables of its own, in a thread of its own.
// Workers share nothing but the sockets' kernel side, so no line of the packet path takes a lock;
// the gate tells every change to each of them (gate.hpp).
#pragma once

#include <deque>
#include <functional>
#include <latch>
#include <thread>
#include <variant>

#include "monitor/monitor.hpp"
#include "tunnel/forwarder.hpp"
#include "tunnel/underlay.hpp"

namespace shamon {

struct GateOptions {
  std::uint16_t tunnel_mtu = 0;  ///< the largest inner packet
  bool copy_dscp = false;
  /// So long a worker asks for more before it sleeps: a processor for the time that waking takes.
  std::chrono::microseconds busy_poll{0};
};

/// What a worker tells the gate by itself.
struct PortGone {
  PortId port;
  std::string fault;
};
struct AssociationDue {
  AssociationId association;
  gate::CloseReason reason;
};
using WorkerNotice =
    std::variant<gate::Audit, gate::AssociationWanted, gate::RekeyWanted, AssociationDue, PortGone>;

/// Of what a VM asks the host monitor (docs/vm-services.md).
inline constexpr std::size_t kServiceFrameBytesMax = 1514;  ///< no question is longer
inline constexpr unsigned kServiceFramesPerSecond = 50;     ///< per port and worker

class Worker {
 public:
  /// `notify` is called in the worker's thread. Errors: `system`.
  static Result<std::unique_ptr<Worker>> create(WorkerPlace place, Underlay underlay,
                                                GateOptions const& options,
                                                std::function<void(WorkerNotice const&)> notify);
  Worker(Worker const&) = delete;
  Worker& operator=(Worker const&) = delete;
  ~Worker();  ///< ends its thread

  /// Runs in a thread of its own until the end. The first worker does not: the gate turns it.
  void start();
  /// Runs `task` in the worker's thread and waits for its end.
  void run(std::function<void()> const& task);
  /// Waits until there is something to do, and does it. What is not the worker's own (see watch())
  /// goes to `other`. Errors: `system`.
  Status turn(std::function<void(std::uint64_t tag, std::uint32_t events)> const& other);
  /// More for turn() to look at; `tag` below kPortTag.
  Status watch(int fd, std::uint64_t tag, std::uint32_t events, bool fresh) noexcept;

  // What the gate changes; in this worker's thread only. worker_commands.cpp.
  Status load_policy(std::shared_ptr<CompiledPolicy const> const& policy);
  Status attach_port(gate::PortAttach const& message, std::unique_ptr<PortDriver> driver);
  Status detach_port(PortId port);
  Status open_association(gate::AssociationOpen const& message);
  /// The counters of what is closed move to closed().
  Result<AssociationTable::Ended> close_association(AssociationId id);
  Status set_route(gate::RouteSet const& message);
  Status drop_route(gate::RouteDrop const& message);
  /// The socket to the host monitor's services, which the first worker reads and all write.
  Status attach_services(std::unique_ptr<PortDriver> socket);
  void set_lease(Instant until) noexcept { forwarder_.set_lease(until); }

  Monitor& monitor() noexcept { return monitor_; }
  PortTable& ports() noexcept { return ports_; }
  AssociationTable& associations() noexcept { return associations_; }
  RouteTable& routes() noexcept { return routes_; }
  LabelId label_id(LabelName const& label) const;
  /// What has passed, or not, without a port or association that is still here.
  Counters unowned() noexcept;

  static constexpr std::uint64_t kServicesTag = 3;
  static constexpr std::uint64_t kPortTag = std::uint64_t{1} << 32;  ///< plus the port's id

 private:
  Worker(WorkerPlace place, Underlay underlay, GateOptions const& options,
         std::function<void(WorkerNotice const&)> notify, UniqueFd epoll, UniqueFd bell);

  void dispatch(std::uint64_t tag, std::uint32_t events);
  void port_turn(Port& port, std::uint32_t events);
  bool should_rest(Port const& port, std::uint64_t frames, std::uint64_t passed, Instant now);
  /// Reads again what has rested; when the next one will have.
  Instant end_rests(Instant now);
  void underlay_turn();
  void end_of_turn(Instant now);
  void services_turn();
  void end_services();
  bool serve(Port& port, std::span<std::uint8_t> frame, Instant now);
  bool watch_writers();
  void tick(Instant now);
  void lose_port(Port& port);
  void want_association(HostName const& peer, LabelName const& label, PathId path, Instant now);
  void relabel();

  WorkerPlace place_;
  Underlay underlay_;
  std::chrono::microseconds busy_poll_;
  std::function<void(WorkerNotice const&)> notify_;
  UniqueFd epoll_;
  UniqueFd bell_;  ///< rung when a task waits
  std::function<void()> const* task_ = nullptr;
  std::latch* done_ = nullptr;
  bool ended_ = false;

  AuditTrail trail_;
  Monitor monitor_;
  PortTable ports_;
  AssociationTable associations_;
  RouteTable routes_;
  Forwarder forwarder_;
  Counters closed_;                                    ///< of ports and associations that are gone
  std::unordered_map<std::uint32_t, Instant> wanted_;  ///< by PathId: when it was asked last
  std::unique_ptr<PortDriver> services_;
  struct Asked {
    Instant since;
    unsigned frames = 0;
  };
  std::unordered_map<PortId, Asked> asked_;  ///< how often in this second
  struct Heard {
    Instant since;
    std::uint64_t frames = 0, passed = 0;
  };
  std::unordered_map<PortId, Heard> heard_;         ///< in the last kRefusedRest
  std::deque<std::pair<PortId, Instant>> resting_;  ///< ports not read until then, in order
  std::vector<std::uint8_t> port_buffer_;
  int wait_ms_ = 0;
  Instant poll_until_;
  Instant next_tick_;
  Instant next_tell_;
  bool untold_ = false;  ///< packets have come since repeats were told
  std::thread thread_;   ///< last: it ends before what it uses
};

}  // namespace shamon
