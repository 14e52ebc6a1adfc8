#include "tunnel/coalescer.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "tunnel/checksum.hpp"

namespace shamon {

namespace {

constexpr std::uint8_t kTcpAck = 0x10, kTcpPsh = 0x08;

bool transport_checksum_holds(IpPacket const& packet) noexcept {
  ByteView const transport = packet.transport();
  std::uint64_t const sum = checksum_pseudo_header(packet.bytes.data(), transport.size());
  return checksum_fold(checksum_add(sum, transport)) == 0xffff;
}

bool plain_data(IpPacket const& packet) noexcept {
  return packet.protocol == kProtocolTcp && (packet.tcp_flags & ~kTcpPsh) == kTcpAck &&
         packet.bytes.size() > packet.headers_bytes();
}

}  // namespace

bool Coalescer::continues(IpPacket const& packet) const noexcept {
  IpPacket const& first = chain_.packet;
  if (!plain_data(packet) || packet.headers_bytes() != first.headers_bytes()) return false;
  std::uint8_t const* a = first.bytes.data();
  std::uint8_t const* b = packet.bytes.data();
  std::uint8_t const* tcp_a = a + first.ip_header_bytes;
  std::uint8_t const* tcp_b = b + packet.ip_header_bytes;
  std::size_t const payload_bytes = packet.bytes.size() - packet.headers_bytes();
  // IPv6: class, flow label; next header, hop limit, addresses. IPv4: class; DF, TTL, protocol;
  // then the addresses, behind the checksum.
  bool const same_path =
      packet.ip_header_bytes == first.ip_header_bytes &&
      (packet.is_ipv6() ? std::memcmp(a, b, 4) == 0 && std::memcmp(a + 6, b + 6, 34) == 0
                        : a[1] == b[1] && std::memcmp(a + 6, b + 6, 4) == 0 &&
                              std::memcmp(a + 12, b + 12, 8) == 0);
  return same_path && std::memcmp(tcp_a, tcp_b, 4) == 0 &&  // ports
         std::memcmp(tcp_a + 8, tcp_b + 8, 4) == 0 &&       // acknowledgement
         std::memcmp(tcp_a + 14, tcp_b + 14, 2) == 0 &&     // window
         std::memcmp(tcp_a + 18, tcp_b + 18, first.transport_header_bytes - 18u) == 0 &&
         get_u32be(tcp_b + 4) == next_sequence_ && payload_bytes <= first_payload_bytes_ &&
         chain_.ip_bytes + payload_bytes <= kPacketBytesMax &&
         chain_.part_count < chain_.parts.size();
}

void Coalescer::begin(IpPacket const& packet) noexcept {
  SHAMON_ASSERT(empty());
  std::size_t const headers_bytes = packet.headers_bytes();
  first_payload_bytes_ = packet.bytes.size() - headers_bytes;
  chain_.packet = packet;
  chain_.offload = {};
  occupied_ = true;
  chain_.packets = 1;
  chain_.ip_bytes = packet.bytes.size();
  chain_.parts[0] = {packet.bytes.data(), headers_bytes};
  chain_.parts[1] = {packet.bytes.data() + headers_bytes, first_payload_bytes_};
  chain_.part_count = 2;
  open_ = plain_data(packet) && (packet.tcp_flags & kTcpPsh) == 0;
  checksum_checked_ = false;
  if (open_) {
    next_sequence_ =
        get_u32be(&packet.transport()[4]) + static_cast<std::uint32_t>(first_payload_bytes_);
  }
}

bool Coalescer::append(IpPacket const& packet) noexcept {
  if (empty() || !open_ || !continues(packet)) return false;
  // A packet with a wrong checksum must reach the VM as it is: inside a super-packet, whose
  // checksum counts as good, the damage would be hidden.
  if (!checksum_checked_) {
    checksum_checked_ = true;
    if (!transport_checksum_holds(chain_.packet)) {
      open_ = false;
      return false;
    }
  }
  if (!transport_checksum_holds(packet)) return false;
  std::size_t const payload_bytes = packet.bytes.size() - packet.headers_bytes();
  chain_.parts[chain_.part_count++] = {packet.bytes.data() + packet.headers_bytes(), payload_bytes};
  chain_.packets += 1;
  chain_.ip_bytes += payload_bytes;
  next_sequence_ += static_cast<std::uint32_t>(payload_bytes);
  chain_.packet.tcp_flags |= packet.tcp_flags & kTcpPsh;
  if (payload_bytes < first_payload_bytes_ || (packet.tcp_flags & kTcpPsh) != 0) open_ = false;
  return true;
}

Coalescer::Chain const& Coalescer::take() noexcept {
  SHAMON_ASSERT(!empty());
  if (chain_.packets > 1) {
    std::uint8_t* ip = chain_.packet.bytes.data();
    std::uint8_t* tcp = ip + chain_.packet.ip_header_bytes;
    set_ip_bytes(chain_.packet, ip, chain_.ip_bytes);
    tcp[13] = chain_.packet.tcp_flags;
    // Partial: the receiver completes it from the pseudo header's sum (never complemented).
    std::uint16_t const sum =
        checksum_fold(checksum_pseudo_header(ip, chain_.ip_bytes - chain_.packet.ip_header_bytes));
    std::memcpy(tcp + 16, &sum, 2);
    chain_.offload = {Segmentation::tcp, static_cast<std::uint16_t>(first_payload_bytes_), true};
  }
  occupied_ = false;
  open_ = false;
  return chain_;
}

}  // namespace shamon
