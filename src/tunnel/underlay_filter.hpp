// The underlay's first look, taken by the kernel before a datagram is queued: one that no open
// association could have sent is dropped and counted there, so that a flood of them neither fills
// the sockets' queues nor costs the workers anything. It only ever takes away: the packet path
// checks all that comes through as if there were no filter.
#pragma once

#include <cstdint>

#include "base/fd.hpp"
#include "tunnel/association_spec.hpp"

namespace shamon {

class UnderlayFilter {
 public:
  /// A program for sockets (eBPF) and its table, still empty: nothing passes. Needs CAP_BPF, or
  /// CAP_SYS_ADMIN before Linux 5.8. Errors: `system`.
  static Result<UnderlayFilter> create();

  /// Whether the table can be changed. Ask when rights are dropped: Linux before 5.19 wants them
  /// for every change. Errors: `system`.
  Status check_usable() noexcept;
  /// From now on the socket gets only what is admitted. Errors: `system`.
  Status attach(int udp_socket) noexcept;

  /// Lets the datagrams of an association pass: its SPIs, from its peer's address, whatever the
  /// port. Errors: `system`, maybe with some of the SPIs admitted.
  Status admit(AssociationSpec const& spec) noexcept;
  void refuse(AssociationSpec const& spec) noexcept;

  /// Datagrams dropped by the kernel since the start.
  struct Dropped {
    std::uint64_t malformed = 0;       ///< too short for ESP
    std::uint64_t no_association = 0;  ///< no SPI in use, or not from the SPI's peer
  };
  Dropped dropped() const noexcept;

 private:
  UnderlayFilter(UniqueFd admitted, UniqueFd counters, UniqueFd program) noexcept
      : admitted_(std::move(admitted)),
        counters_(std::move(counters)),
        program_(std::move(program)) {}

  UniqueFd admitted_;  ///< table: (SPI, address) of each SA towards this machine
  UniqueFd counters_;  ///< table: one Dropped
  UniqueFd program_;
};

}  // namespace shamon
