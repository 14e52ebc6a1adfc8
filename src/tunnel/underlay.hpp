// The UDP sockets of one worker to the other machines. One send may carry a run of equal datagrams
// (UDP_SEGMENT), one receive too (UDP_GRO).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/fd.hpp"
#include "base/socket_address.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

/// Of the outer header towards that address.
inline std::size_t ip_header_bytes(IpAddress const& address) noexcept {
  return address.is_ipv4() ? kIpv4HeaderBytes : kIpv6HeaderBytes;
}

class Underlay {
 public:
  /// Binds one for each worker to the same address; asks for large socket buffers, as far as
  /// privileges go. An ESP packet arrives at worker (SPI mod kLanesMax mod workers). Workers but
  /// the first send from a port of their own, so that a network card sees a flow for each. Errors:
  /// `system`.
  static Result<std::vector<Underlay>> bind(Endpoint const& local, unsigned workers);

  int fd() const noexcept { return fd_.get(); }

  /// Datagrams of `segment_bytes`, the last maybe smaller, from or to one machine.
  struct Run {
    std::span<std::uint8_t> bytes;
    std::size_t segment_bytes = 0;
    std::uint8_t traffic_class = 0;  ///< DSCP and ECN of the outer header
  };
  struct Sent {
    bool taken = false;          ///< if not, the datagrams are gone
    std::uint16_t path_mtu = 0;  ///< what the way takes, if they were larger; else 0
  };
  Sent send(Endpoint const& peer, Run const& run) noexcept;

  /// What waits, at most kUnderlayReceives runs; valid until the next call.
  std::span<Run const> receive() noexcept;

 private:
  struct Buffers;
  Underlay(UniqueFd fd, UniqueFd sender);
  int sender() const noexcept { return sender_ ? sender_.get() : fd_.get(); }
  std::uint16_t take_path_mtu() noexcept;

  UniqueFd fd_;
  UniqueFd sender_;
  std::unique_ptr<Buffers> buffers_;

 public:
  Underlay(Underlay&&) noexcept;
  Underlay& operator=(Underlay&&) noexcept;
  ~Underlay();
};

}  // namespace shamon
