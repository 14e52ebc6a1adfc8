#include "tunnel/sealer.hpp"

namespace shamon {

bool Sealer::fits(Association const& association, std::size_t datagram_bytes) const noexcept {
  return &association == association_ && count_ < jobs_.size() && !ended_ &&
         datagram_bytes <= segment_bytes_ && used_bytes_ + datagram_bytes <= buffer_.size();
}

std::span<std::uint8_t> Sealer::place(Association& association, std::size_t inner_bytes,
                                      Instant now) noexcept {
  std::size_t const bytes = esp_bytes(inner_bytes);
  if (bytes > buffer_.size()) return {};
  if (count_ != 0 && !fits(association, bytes)) flush(now);
  auto const sequence = association.next_sequence();
  if (!sequence) return {};
  if (count_ == 0) {
    association_ = &association;
    segment_bytes_ = bytes;
    ended_ = false;
  }
  std::span<std::uint8_t> const datagram = std::span(buffer_).subspan(used_bytes_, bytes);
  jobs_[count_++] = frame_esp(datagram, association.spec().spi_out, *sequence, inner_bytes);
  used_bytes_ += bytes;
  inner_bytes_ += inner_bytes;
  ended_ = bytes < segment_bytes_;
  return datagram.subspan(kEspInnerOffset, inner_bytes);
}

void Sealer::flush(Instant now) noexcept {
  if (count_ == 0) return;
  Association& association = *association_;
  association.key_out().seal(std::span(jobs_).first(count_));
  std::span<std::uint8_t> const run = std::span(buffer_).first(used_bytes_);
  if (send_(association.spec().peer, run, segment_bytes_)) {
    association.counters.passed_out(count_, inner_bytes_, now);
  } else {
    association.counters.dropped_full += count_;
  }
  count_ = 0;
  used_bytes_ = 0;
  inner_bytes_ = 0;
}

}  // namespace shamon
