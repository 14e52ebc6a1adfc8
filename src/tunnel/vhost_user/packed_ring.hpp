// The packed ring, Virtual I/O Device 1.2 §2.8.
#pragma once

#include "tunnel/vhost_user/ring.hpp"

namespace shamon::vhost_user {

/// Nothing in a packed ring says how far the device came, and QEMU 7.2 does not know it either when
/// the gate was killed: it starts the ring anew where it was when it started it last. So the ring's
/// device area always holds the position of the next descriptor to use. While kicks are wanted by
/// event index it stands there anyway; else the driver ignores the field (§2.8.14).
class PackedRing final : public Ring {
 public:
  static Checked<std::unique_ptr<Ring>> make(Wiring wiring, std::uint32_t base);
  explicit PackedRing(Wiring wiring) noexcept : Ring(std::move(wiring)) {}

  Checked<std::optional<Chain>> take(std::vector<Area>& pieces) noexcept override;
  void give_back(Chain const& chain, std::uint32_t written_bytes) noexcept override;
  void publish() noexcept override;
  bool wants_call() noexcept override;
  void want_kicks(bool wanted) noexcept override;
  std::uint32_t base() const noexcept override;

 private:
  struct Used {
    Position at;
    std::uint16_t id;
    std::uint32_t bytes;
  };
  Position noted_position(Position told) const noexcept;
  std::uint8_t* slot(std::uint16_t index) const noexcept {
    return wiring_.descriptors.bytes + kDescriptorBytes * index;
  }
  void advance(Position& position, std::uint16_t slots) const noexcept;
  void write_used(Used const& used) noexcept;
  void write_event() noexcept;

  Position used_;  ///< the next descriptor to mark as used
  Position published_;
  std::optional<Used> first_;   ///< of a batch: what follows it is not seen before it
  std::uint16_t uncalled_ = 0;  ///< slots published since the guest was told
  std::uint16_t unpublished_ = 0;
  std::uint16_t event_flags_;  ///< what the device area says of kicks
};

}  // namespace shamon::vhost_user
