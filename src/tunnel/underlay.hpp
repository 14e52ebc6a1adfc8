// The UDP socket to the other machines. One send may carry a run of equal datagrams (UDP_SEGMENT),
// one receive too (UDP_GRO).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.hpp"
#include "base/ipv4.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

class Underlay {
 public:
  /// Binds; asks for large socket buffers, as far as privileges go. Errors: `system`.
  static Result<Underlay> bind(Endpoint local);

  int fd() const noexcept { return fd_.get(); }

  /// Sends `bytes` as datagrams of `segment_bytes`, the last one maybe smaller. False if the
  /// kernel did not take them: the datagrams are gone.
  bool send(Endpoint peer, std::span<std::uint8_t> bytes, std::size_t segment_bytes) noexcept;

  /// A run of datagrams of `segment_bytes` (the last maybe smaller) from one sender.
  struct Run {
    std::span<std::uint8_t> bytes;
    std::size_t segment_bytes;
  };
  /// What waits, at most kUnderlayReceives runs; valid until the next call.
  std::span<Run const> receive() noexcept;

 private:
  struct Buffers;
  explicit Underlay(UniqueFd fd);
  UniqueFd fd_;
  std::unique_ptr<Buffers> buffers_;

 public:
  Underlay(Underlay&&) noexcept;
  Underlay& operator=(Underlay&&) noexcept;
  ~Underlay();
};

}  // namespace shamon
