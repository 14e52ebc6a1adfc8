// Collects inner packets for one association, seals them as a batch and sends them as one run of
// datagrams.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "tunnel/association.hpp"
#include "tunnel/esp.hpp"

namespace shamon {

class Sealer {
 public:
  /// Sends a run (see Underlay::send); false if it was not taken.
  using Send = std::function<bool(Endpoint, std::span<std::uint8_t>, std::size_t)>;
  explicit Sealer(Send send) : send_(std::move(send)), buffer_(kDatagramBytesMax) {}

  /// Room for an inner packet, to be written before the next call; a batch that is full or for
  /// another association goes out first. Empty if the packet does not fit a datagram or the
  /// association has used its numbers up.
  std::span<std::uint8_t> place(Association& association, std::size_t inner_bytes,
                                Instant now) noexcept;
  /// Seals and sends what waits. The association must still be open.
  void flush(Instant now) noexcept;

 private:
  bool fits(Association const& association, std::size_t datagram_bytes) const noexcept;

  Send send_;
  std::vector<std::uint8_t> buffer_;
  std::array<AeadJob, kBatchPackets> jobs_;
  Association* association_ = nullptr;
  std::size_t count_ = 0;
  std::size_t used_bytes_ = 0;
  std::size_t inner_bytes_ = 0;
  std::size_t segment_bytes_ = 0;
  bool ended_ = false;  ///< a smaller datagram ends a run
};

}  // namespace shamon
