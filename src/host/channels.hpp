// The channels between VMs of this machine: asked for by the operator, opened in the gate, plugged
// into both VMs, and taken away again. A channel lives
//
//   opening ──gate agrees, both plugged──► open ──► closing ──both VMs let go──► closed
//      └─────► refused
//
// The gate ends events and content at once; unplugging needs the guests' help and takes a
// moment. A guest that does not help within kUnplugLimit is stopped.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "coalition/messages/channel.hpp"
#include "host/gate_link.hpp"
#include "host/vm_manager.hpp"
#include "tunnel/shared_memory.hpp"

namespace shamon {

inline constexpr Duration kUnplugLimit = std::chrono::seconds(20);
inline constexpr std::size_t kClosedChannelsKept = 50;

class Channels {
 public:
  Channels(EventLoop& loop, Monitor& monitor, Journal& journal, GateLink& gate, VmManager& vms);
  ~Channels();

  /// `done` once both VMs have it, or with the reason why not: `denied` with the monitor's words,
  /// `not_found`, `invalid`, `unreachable`, and what gate and hypervisor say.
  using Opened = std::function<void(Result<ChannelRow>)>;
  void open(ShareRequest const& request, Opened done);
  /// Errors: `not_found`.
  Status close(ChannelId id, std::string const& reason);
  ChannelList list() const;

  // What others tell.
  void vm_released(VmName const& vm, std::string const& reason);
  void policy_changed();
  void gate_ready();
  void gate_lost();
  void answered(ChannelId id, Status const& status);
  void ended(gate::ShareEnded const& ended);
  void reported(gate::ShareState const& state);

 private:
  struct Channel {
    ShareSpec spec;
    std::string state = "opening", reason;
    Opened done;               ///< of whoever asked; empty once answered
    std::set<VmName> plugged;  ///< VMs that still have devices of it
    Instant unplug_until{};
    bool again =
        false;  ///< to be opened anew once it is closed: its gate is gone, its grant is not
    std::uint64_t rings_of_owner = 0, rings_of_user = 0;
  };

  std::uint32_t free_number() const;
  Result<ShareSpec> make_spec(ShareRequest const& request) const;
  LabelId label_id(LabelName const& label) const;
  template <class Op>
  Result<Permit<Op>> ask(Op op);
  MemoryShare memory_of(ShareSpec const& spec) const;
  EventBind events_to_user(ShareSpec const& spec) const;
  EventBind events_to_owner(ShareSpec const& spec) const;
  Result<SharePermits> authorize(ShareSpec const& spec);
  void send(Channel& channel);
  Status plug(Channel& channel);
  Status plug_side(Channel& channel, gate::ShareSide side);
  Result<UniqueFd> join(Channel const& channel, gate::ShareSide side, gate::ShareView view);
  void unplug(Channel& channel, std::string const& reason);
  void look();
  bool look_at(Channel& channel);
  void finish(Channel& channel, std::string state);
  void answer(Channel& channel, Result<ChannelRow> result);
  void forget_oldest();
  static bool is_over(Channel const& channel) {
    return channel.state == "closed" || channel.state == "refused";
  }
  ChannelRow row_of(Channel const& channel) const;

  EventLoop& loop_;
  Monitor& monitor_;
  Journal& journal_;
  GateLink& gate_;
  VmManager& vms_;
  std::map<ChannelId, Channel> channels_;
  std::uint32_t next_ = 1;
  std::optional<EventLoop::TimerId> timer_;
};

}  // namespace shamon
