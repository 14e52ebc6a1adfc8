#include "tunnel/sealer.hpp"

namespace shamon {

bool Sealer::fits(Association const& association, std::uint8_t outer_class,
                  std::size_t datagram_bytes) const noexcept {
  return &association == association_ && outer_class == outer_class_ && count_ < jobs_.size() &&
         !ended_ && datagram_bytes <= segment_bytes_ &&
         used_bytes_ + datagram_bytes <= buffer_.size();
}

std::span<std::uint8_t> Sealer::place(Association& association, IpPacket const& like,
                                      std::size_t inner_bytes, Instant now) noexcept {
  std::size_t const bytes = esp_bytes(inner_bytes);
  std::uint8_t const outer_class = like.traffic_class & class_mask_;
  if (bytes > buffer_.size()) return {};
  if (count_ != 0 && !fits(association, outer_class, bytes)) flush(now);
  auto const sequence = association.next_sequence();
  if (!sequence) return {};
  if (count_ == 0) {
    association_ = &association;
    outer_class_ = outer_class;
    segment_bytes_ = bytes;
    ended_ = false;
  }
  std::span<std::uint8_t> const datagram = std::span(buffer_).subspan(used_bytes_, bytes);
  AeadJob& job = jobs_[count_];
  job = frame_esp(datagram, association.spi_out(), *sequence, inner_bytes,
                  like.is_ipv6() ? kNextHeaderIpv6 : kNextHeaderIpv4);
  if (association.spec().extended_sequence) {
    aads_[count_] = make_extended_aad(association.spi_out(), *sequence);
    job.aad = aads_[count_];
  }
  ++count_;
  used_bytes_ += bytes;
  inner_bytes_ += inner_bytes;
  ended_ = bytes < segment_bytes_;
  return datagram.subspan(kEspInnerOffset, inner_bytes);
}

void Sealer::flush(Instant now) noexcept {
  if (count_ == 0) return;
  Association& association = *association_;
  association.key_out().seal(std::span(jobs_).first(count_));
  Endpoint const& peer = association.spec().peer;
  Underlay::Sent const sent =
      send_(peer, {std::span(buffer_).first(used_bytes_), segment_bytes_, outer_class_});
  if (sent.taken) {
    association.counters.passed_out(count_, inner_bytes_, now);
  } else {
    association.counters.dropped_full += count_;
  }
  // The packets that told us are lost; their senders hear of it with the next ones (RFC 4301 §8.2).
  if (sent.path_mtu != 0) {
    association.lower_inner_mtu(esp_inner_mtu(sent.path_mtu, ip_header_bytes(peer.address)));
  }
  count_ = 0;
  used_bytes_ = 0;
  inner_bytes_ = 0;
}

}  // namespace shamon
