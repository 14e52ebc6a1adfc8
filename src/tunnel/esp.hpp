// ESP in UDP, tunnel mode, either IP in either (RFC 4303, RFC 4106, RFC 3948): the shape of a
// datagram.
// Pure: keys and sequence numbers belong to association.hpp.
//
//   0      4      8                16                                       n-16        n
//   | SPI  | seq  | IV = seq (u64)  | inner packet ‖ 1 2 3.. ‖ pad size ‖ 4 or 41 | ICV   |
//   |---- AAD ----|                 |----------------- encrypted ----------------|
//
// With extended sequence numbers the AAD is SPI ‖ all 64 bits (RFC 4106 §5), the wire has the lower
// 32.
#pragma once

#include <cstdint>
#include <span>

#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "tunnel/packet.hpp"

namespace shamon {

inline constexpr std::size_t kEspHeaderBytes = 8;
inline constexpr std::size_t kEspInnerOffset = kEspHeaderBytes + kAeadIvBytes;
inline constexpr std::size_t kEspTrailerBytes = 2;
inline constexpr std::uint8_t kNextHeaderIpv4 = 4;
inline constexpr std::uint8_t kNextHeaderIpv6 = 41;
inline constexpr std::uint8_t kNextHeaderNone = 59;  ///< dummy packet, RFC 4303 §2.6
/// The first SPI an end may choose (RFC 4303 §2.1); 0 is the non-ESP marker.
inline constexpr std::uint32_t kSpiMin = 256;

/// Padding so that the encrypted part is a multiple of 4 (RFC 4303 §2.4).
constexpr std::size_t esp_pad_bytes(std::size_t inner_bytes) noexcept {
  return (4 - (inner_bytes + kEspTrailerBytes) % 4) % 4;
}
/// Size of the UDP payload that carries an inner packet.
constexpr std::size_t esp_bytes(std::size_t inner_bytes) noexcept {
  return kEspInnerOffset + inner_bytes + esp_pad_bytes(inner_bytes) + kEspTrailerBytes +
         kAeadTagBytes;
}
/// The largest inner packet whose outer packet, with an IP header of so many bytes, fits
/// `underlay_mtu`.
constexpr std::uint16_t esp_inner_mtu(std::uint16_t underlay_mtu,
                                      std::size_t outer_header_bytes = kIpv4HeaderBytes) noexcept {
  std::size_t const fixed = outer_header_bytes + 8 + kEspInnerOffset + kAeadTagBytes;
  std::size_t const room = (underlay_mtu > fixed ? underlay_mtu - fixed : 0) / 4 * 4;
  return static_cast<std::uint16_t>(room > kEspTrailerBytes ? room - kEspTrailerBytes : 0);
}

/// Writes header, IV and trailer around the inner packet that already stands at kEspInnerOffset.
/// `datagram` is exactly esp_bytes(inner_bytes). The job refers to it and is ready to seal.
AeadJob frame_esp(std::span<std::uint8_t> datagram, Spi spi, std::uint64_t sequence,
                  std::size_t inner_bytes, std::uint8_t next_header) noexcept;

/// The additional data of an SA with extended sequence numbers.
using ExtendedAad = std::array<std::uint8_t, 12>;
ExtendedAad make_extended_aad(Spi spi, std::uint64_t sequence) noexcept;

/// A datagram that has the shape of ESP; nothing of it is authenticated yet.
struct EspDatagram {
  Spi spi;
  std::uint32_t sequence = 0;  ///< the lower half, with extended numbers
  AeadJob job;
};
/// Errors: `not_esp` for the marker and the keepalive, `bad_esp` for anything else.
Parsed<EspDatagram> parse_esp(std::span<std::uint8_t> datagram) noexcept;

/// The inner packet of an authenticated payload: checks next header (4 or 41; which of
/// them, the packet itself tells), padding size and the padding bytes 1, 2, 3 … Empty for a dummy
/// packet. Errors: `bad_esp`.
Parsed<std::span<std::uint8_t>> strip_esp_trailer(std::span<std::uint8_t> payload) noexcept;

}  // namespace shamon
