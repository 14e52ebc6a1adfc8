// The channels of this machine: memory and events between two VMs, made here and handed out here.
//
//   owner's hypervisor ══memory══ user's hypervisor       one memfd, mapped by both
//        │ rings                      ▲ hears
//        ▼                            │
//      socket ─────read── gate ──write── socket           and the same the other way
//
// No hypervisor holds anything of the other's but the memory: each ring passes the gate, so that
// events are over when end() returns, whatever the hypervisors do.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "base/fd.hpp"
#include "tunnel/gate_control.hpp"
#include "tunnel/share_spec.hpp"

namespace shamon {

/// Errors: `invalid` for what no channel can be.
Status check_share(ShareSpec const& spec);

/// The events among the bytes a guest wrote, one bit each; other bytes mean nothing. Rings of one
/// event that nobody heard yet are one ring.
std::uint8_t rung_events(ByteView bytes, std::uint32_t events) noexcept;

class SharedMemory {
 public:
  struct Channel;
  /// Errors: `system`.
  static Result<SharedMemory> create();
  SharedMemory(SharedMemory&&) noexcept;
  SharedMemory& operator=(SharedMemory&&) noexcept;
  ~SharedMemory();

  /// Makes the memory. Errors: `invalid`, `denied` (permits of another channel), `conflict` (the
  /// channel exists), `too_large` (too many channels), `system`.
  Status open(SharePermits&& permits, ShareSpec const& spec);
  /// Gives a side its view; see gate::ShareView. Errors: `not_found`, `invalid`, `denied` (a
  /// channel without events), `conflict` (taken before, or the owner does not have the memory yet),
  /// `system`.
  Status join(ChannelId id, gate::ShareSide side, gate::ShareView view, UniqueFd socket);
  /// Permits of the policy now in force. Precondition: the channel exists.
  void renew(ChannelId id, SharePermits&& permits);
  /// Events over, memory cleared, sockets closed. Errors: `not_found`.
  Status end(ChannelId id);

  /// Readable: call turn().
  int fd() const noexcept { return epoll_.get(); }
  /// Passes rings on. The channels one of whose hypervisors left.
  std::vector<ChannelId> turn() noexcept;

  std::vector<ShareSpec> specs() const;
  std::vector<ChannelId> of_vm(VmName const& vm) const;
  std::vector<gate::ShareState> states() const;

 private:
  explicit SharedMemory(UniqueFd epoll);
  Status join_events(Channel& channel, std::size_t side, UniqueFd socket);
  Status join_memory(Channel& channel, std::size_t side, UniqueFd socket);
  void deliver(Channel& channel, std::size_t side) noexcept;

  UniqueFd epoll_;
  std::map<ChannelId, Channel> channels_;
};

}  // namespace shamon
