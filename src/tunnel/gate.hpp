// The gate: ports on one side, the underlay on the other, the host monitor above. One worker per
// core carries the packets (worker.hpp); this is what commands them. It runs in the first worker's
// thread, so that a gate with one worker has one thread and one loop.
#pragma once

#include <deque>
#include <mutex>

#include "tunnel/control_server.hpp"
#include "tunnel/shared_memory.hpp"
#include "tunnel/underlay_filter.hpp"
#include "tunnel/worker.hpp"

namespace shamon {

/// What the workers have to say, until the gate's own thread takes it.
class Notices {
 public:
  /// Errors: `system`.
  static Result<std::unique_ptr<Notices>> create();
  /// From any thread. A full queue loses audits, which are counted; all others are as few as the
  /// ports, associations and paths they are about.
  void put(WorkerNotice const& notice);
  /// Readable while something waits that did not come from the gate's own thread.
  int fd() const noexcept { return bell_.get(); }
  std::deque<WorkerNotice> take();
  /// Audits that found no place, since the last question.
  std::uint32_t take_lost();

 private:
  explicit Notices(UniqueFd bell) noexcept
      : bell_(std::move(bell)), gate_thread_(std::this_thread::get_id()) {}
  UniqueFd bell_;
  std::thread::id gate_thread_;
  std::mutex mutex_;
  std::deque<WorkerNotice> waiting_;
  std::uint32_t lost_ = 0;
};

class Gate {
 public:
  /// One worker for each of the sockets. Threads begin here, so that a sandbox entered before holds
  /// for all of them. The filter, if there is one, is attached to the sockets and follows the
  /// associations. Errors: `system`.
  static Result<std::unique_ptr<Gate>> create(std::vector<Underlay> underlays,
                                              GateOptions const& options, ControlServer control,
                                              std::optional<UnderlayFilter> filter);
  Gate(Gate const&) = delete;
  Gate& operator=(Gate const&) = delete;

  /// Runs until `stop` becomes readable. Errors: `system` if the loop itself fails.
  Status run(int stop);

 private:
  Gate(ControlServer control, std::unique_ptr<Notices> notices, SharedMemory shares)
      : control_(std::move(control)), notices_(std::move(notices)), shares_(std::move(shares)) {}

  void control_turn(std::uint32_t events);
  void accept_client();
  void take_notices();
  void take(WorkerNotice const& notice);
  void remove_port(PortId id, std::string_view fault);
  void shares_turn();

  // Commands, in gate_commands.cpp. Each answers with its effect or the reason against it.
  void execute(ControlServer::Command command);
  Status run_command(gate::Header const& header, ControlServer::Command& command);
  /// The same change in every worker, each in its own thread; ends with the first refusal.
  Status on_all(std::function<Status(Worker&)> const& change);
  Status hello(gate::Hello const& message);
  Status load_policy(gate::PolicyLoad const& message, UniqueFd const& image);
  Status attach_port(gate::PortAttach const& message, std::vector<UniqueFd> descriptors);
  Status open_association(gate::AssociationOpen& message);
  Status attach_services(std::vector<UniqueFd> descriptors);
  Status end_association(AssociationId id, gate::CloseReason reason, std::uint32_t sequence);
  void report_statistics(std::uint32_t sequence);
  Status detach_port(PortId id);
  // Channels, in gate_shares.cpp. They are the gate's own: no packet is on their way.
  Status open_share(gate::ShareOpen const& message);
  Status join_share(gate::ShareJoin const& message, std::vector<UniqueFd> descriptors);
  Status close_share(gate::ShareClose const& message);
  Status check_party(VmName const& vm, LabelName const& label);
  Result<SharePermits> authorize_share(ShareSpec const& spec);
  void end_share(ChannelId id, gate::ShareEnd reason);
  void end_shares_of(VmName const& vm);
  void relabel_shares();

  ControlServer control_;
  std::optional<UnderlayFilter> filter_;
  bool greeted_ = false;
  bool control_writable_watched_ = false;
  std::unique_ptr<Notices> notices_;
  SharedMemory shares_;
  std::vector<std::unique_ptr<Worker>> workers_;  ///< at least one
};

}  // namespace shamon
