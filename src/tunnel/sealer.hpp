// Collects inner packets for one association, seals them as a batch and sends them as one run of
// datagrams.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "tunnel/association.hpp"
#include "tunnel/esp.hpp"
#include "tunnel/underlay.hpp"

namespace shamon {

class Sealer {
 public:
  using Send = std::function<Underlay::Sent(Endpoint const&, Underlay::Run const&)>;
  explicit Sealer(Send send) : send_(std::move(send)), buffer_(kDatagramBytesMax) {}

  /// The outer packets have the DSCP of the inner ones (RFC 2983, uniform model); by default they
  /// have none, so that the class of a VM's traffic is not told to the underlay.
  void copy_dscp(bool copy) noexcept { class_mask_ = copy ? 0xff : kEcnMask; }

  /// Room for an inner packet of so many bytes with the version and class of `like`, to be written
  /// before the next call; a batch that is full, or for another association or class, goes out
  /// first. Empty if the packet does not fit a datagram or the association has used its numbers up.
  std::span<std::uint8_t> place(Association& association, IpPacket const& like,
                                std::size_t inner_bytes, Instant now) noexcept;
  /// Seals and sends what waits. The association must still be open.
  void flush(Instant now) noexcept;

 private:
  bool fits(Association const& association, std::uint8_t outer_class,
            std::size_t datagram_bytes) const noexcept;

  Send send_;
  std::vector<std::uint8_t> buffer_;
  std::array<AeadJob, kBatchPackets> jobs_;
  std::array<ExtendedAad, kBatchPackets> aads_;
  Association* association_ = nullptr;
  std::size_t count_ = 0;
  std::size_t used_bytes_ = 0;
  std::size_t inner_bytes_ = 0;
  std::size_t segment_bytes_ = 0;
  std::uint8_t class_mask_ = kEcnMask;  ///< RFC 6040 §4.1: copied, always
  std::uint8_t outer_class_ = 0;
  bool ended_ = false;  ///< a smaller datagram ends a run
};

}  // namespace shamon
