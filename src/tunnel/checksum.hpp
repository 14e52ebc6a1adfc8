// The Internet checksum (RFC 1071). Sums are kept in memory byte order and folded at the end, so
// no byte is swapped on the way.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace shamon {

static_assert(std::endian::native == std::endian::little);

/// Adds bytes to a running sum. Only the last piece of a message may have an odd size.
inline std::uint64_t checksum_add(std::uint64_t sum, std::span<const std::uint8_t> bytes) noexcept {
  std::uint8_t const* at = bytes.data();
  std::size_t left = bytes.size();
  // Independent accumulators: 32-bit halves cannot overflow 64 bits within a packet.
  using Words = std::uint64_t __attribute__((vector_size(16)));
  Words low{}, high{}, low2{}, high2{};
  for (; left >= 2 * sizeof(Words); left -= 2 * sizeof(Words), at += 2 * sizeof(Words)) {
    Words a, b;
    std::memcpy(&a, at, sizeof a);
    std::memcpy(&b, at + sizeof a, sizeof b);
    low += a & 0xffffffff;
    high += a >> 32;
    low2 += b & 0xffffffff;
    high2 += b >> 32;
  }
  low += high + low2 + high2;
  sum += low[0] + low[1];
  for (; left >= 4; left -= 4, at += 4) {
    std::uint32_t word;
    std::memcpy(&word, at, sizeof word);
    sum += word;
  }
  std::uint32_t last = 0;
  std::memcpy(&last, at, left);
  return sum + last;
}

/// Folds to 16 bits, in memory order, not complemented.
inline std::uint16_t checksum_fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

inline std::uint16_t checksum_finish(std::uint64_t sum) noexcept {
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}

/// The pseudo header of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1) taken from an
/// IPv4 or IPv6 header.
inline std::uint64_t checksum_pseudo_header(std::uint8_t const* header,
                                            std::size_t transport_bytes) noexcept {
  bool const ipv6 = header[0] >> 4 == 6;
  std::uint64_t sum = ipv6 ? checksum_add(0, {header + 8, 32}) : checksum_add(0, {header + 12, 8});
  sum += static_cast<std::uint64_t>(header[ipv6 ? 6 : 9]) << 8;
  sum += __builtin_bswap16(static_cast<std::uint16_t>(transport_bytes));
  return sum;
}

}  // namespace shamon
