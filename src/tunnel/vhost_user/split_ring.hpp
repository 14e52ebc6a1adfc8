// The split ring, Virtual I/O Device 1.2 §2.7.
#pragma once

#include "tunnel/vhost_user/ring.hpp"

namespace shamon::vhost_user {

class SplitRing final : public Ring {
 public:
  static Checked<std::unique_ptr<Ring>> make(Wiring wiring, std::uint32_t base);
  explicit SplitRing(Wiring wiring) noexcept : Ring(std::move(wiring)) {}

  Checked<std::optional<Chain>> take(std::vector<Area>& pieces) noexcept override;
  void give_back(Chain const& chain, std::uint32_t written_bytes) noexcept override;
  void publish() noexcept override;
  bool wants_call() noexcept override;
  void want_kicks(bool wanted) noexcept override;
  std::uint32_t base() const noexcept override { return next_.index; }

 private:
  std::size_t slot(std::uint16_t index) const noexcept { return index & (wiring_.size - 1u); }
  void set_kick_event(std::uint16_t index) noexcept;

  // Free-running, as the guest sees them.
  std::uint16_t used_ = 0, published_ = 0, called_ = 0;
  bool first_call_ = true;
};

}  // namespace shamon::vhost_user
