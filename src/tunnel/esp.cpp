#include "tunnel/esp.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "base/cursor.hpp"

namespace shamon {

AeadJob frame_esp(std::span<std::uint8_t> datagram, Spi spi, std::uint64_t sequence,
                  std::size_t inner_bytes, std::uint8_t next_header) noexcept {
  SHAMON_ASSERT(datagram.size() == esp_bytes(inner_bytes));
  std::uint8_t* at = datagram.data();
  put_u32be(at, spi.value());
  put_u32be(at + 4, static_cast<std::uint32_t>(sequence));
  // RFC 4106 §3.1: the IV must be unique under the key; the sequence number is, and never wraps.
  put_u32be(at + 8, static_cast<std::uint32_t>(sequence >> 32));
  put_u32be(at + 12, static_cast<std::uint32_t>(sequence));
  std::size_t const pad_bytes = esp_pad_bytes(inner_bytes);
  std::uint8_t* trailer = at + kEspInnerOffset + inner_bytes;
  for (std::size_t i = 0; i < pad_bytes; ++i) *trailer++ = static_cast<std::uint8_t>(i + 1);
  *trailer++ = static_cast<std::uint8_t>(pad_bytes);
  *trailer++ = next_header;
  AeadJob job;
  job.aad = datagram.first(kEspHeaderBytes);
  job.iv = datagram.subspan(kEspHeaderBytes, kAeadIvBytes);
  job.data = datagram.subspan(kEspInnerOffset, inner_bytes + pad_bytes + kEspTrailerBytes);
  job.tag = datagram.last(kAeadTagBytes);
  return job;
}

ExtendedAad make_extended_aad(Spi spi, std::uint64_t sequence) noexcept {
  ExtendedAad aad;
  put_u32be(&aad[0], spi.value());
  put_u32be(&aad[4], static_cast<std::uint32_t>(sequence >> 32));
  put_u32be(&aad[8], static_cast<std::uint32_t>(sequence));
  return aad;
}

Parsed<EspDatagram> parse_esp(std::span<std::uint8_t> datagram) noexcept {
  // RFC 3948 §2.3: one byte 0xff keeps a NAT mapping alive.
  if (datagram.size() == 1 && datagram[0] == 0xff) return packet_fault(PacketFault::not_esp, 0);
  Cursor in(datagram);
  EspDatagram result;
  result.spi = Spi(in.u32be());
  if (in.ok() && result.spi.value() == 0) return packet_fault(PacketFault::not_esp, 0);
  result.sequence = in.u32be();
  in.take(kAeadIvBytes);
  if (!in.ok() || in.remaining() < 4 + kAeadTagBytes) {
    return packet_fault(PacketFault::bad_esp, datagram.size());
  }
  std::size_t const data_bytes = in.remaining() - kAeadTagBytes;
  if (data_bytes % 4 != 0) return packet_fault(PacketFault::bad_esp, datagram.size());
  if (result.spi.value() < kSpiMin) return packet_fault(PacketFault::bad_esp, 0);
  result.job.aad = datagram.first(kEspHeaderBytes);
  result.job.iv = datagram.subspan(kEspHeaderBytes, kAeadIvBytes);
  result.job.data = datagram.subspan(kEspInnerOffset, data_bytes);
  result.job.tag = datagram.last(kAeadTagBytes);
  return result;
}

Parsed<std::span<std::uint8_t>> strip_esp_trailer(std::span<std::uint8_t> payload) noexcept {
  if (payload.size() < kEspTrailerBytes) return packet_fault(PacketFault::bad_esp, 0);
  std::uint8_t const next_header = payload.back();
  std::size_t const pad_bytes = payload[payload.size() - 2];
  if (next_header == kNextHeaderNone) return std::span<std::uint8_t>{};
  if (next_header != kNextHeaderIpv4 && next_header != kNextHeaderIpv6) {
    return packet_fault(PacketFault::bad_esp, payload.size() - 1);
  }
  if (pad_bytes + kEspTrailerBytes > payload.size()) {
    return packet_fault(PacketFault::bad_esp, payload.size() - 2);
  }
  std::size_t const inner_bytes = payload.size() - kEspTrailerBytes - pad_bytes;
  for (std::size_t i = 0; i < pad_bytes; ++i) {
    if (payload[inner_bytes + i] != i + 1) {
      return packet_fault(PacketFault::bad_esp, inner_bytes + i);
    }
  }
  return payload.first(inner_bytes);
}

}  // namespace shamon
