#include "host/vm_frame.hpp"

#include <algorithm>
#include <cstring>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "tunnel/checksum.hpp"
#include "tunnel/forwarder.hpp"

namespace shamon {
namespace {

constexpr std::uint8_t kHops = 255;  // on the link, nobody counts down
constexpr std::size_t kUdpHeaderBytes = 8;
constexpr std::size_t kNameBytesMax = 255, kLabelBytesMax = 63;  // RFC 1035 §2.3.4

IpAddress take_ip6(Cursor& in) noexcept {
  std::array<std::uint8_t, 16> bytes{};
  ByteView const from = in.take(bytes.size());
  std::copy(from.begin(), from.end(), bytes.begin());
  return IpAddress(bytes);
}

/// The bytes behind the header.
ByteView take_ipv4(Cursor& in, ByteView packet, VmQuestion& out) noexcept {
  std::uint8_t const version = in.u8();
  in.u8();
  std::size_t const bytes = in.u16be();
  in.u16be();
  std::uint16_t const fragment = in.u16be();
  in.u8();
  out.protocol = in.u8();
  in.u16be();
  out.source = Ipv4{in.u32be()};
  out.destination = Ipv4{in.u32be()};
  bool const whole = in.ok() && version == 0x45 && (fragment & 0x3fff) == 0 &&
                     bytes >= kIpv4HeaderBytes && bytes <= packet.size();
  if (!whole || checksum_fold(checksum_add(0, packet.first(kIpv4HeaderBytes))) != 0xffff) {
    in.fail();
    return {};
  }
  return packet.first(bytes).subspan(kIpv4HeaderBytes);
}

ByteView take_ipv6(Cursor& in, ByteView packet, VmQuestion& out) noexcept {
  std::uint8_t const version = static_cast<std::uint8_t>(in.u32be() >> 28);
  std::size_t const bytes = in.u16be();
  out.protocol = in.u8();
  in.u8();
  out.source = take_ip6(in);
  out.destination = take_ip6(in);
  if (!in.ok() || version != 6 || bytes > in.remaining()) {
    in.fail();
    return {};
  }
  return packet.subspan(kIpv6HeaderBytes, bytes);
}

Bytes make_ip_header(IpAddress const& from, IpAddress const& to, std::uint8_t protocol,
                     std::size_t payload_bytes) {
  ByteWriter out;
  if (to.is_ipv4()) {
    out.u16be(0x4500).u16be(static_cast<std::uint16_t>(kIpv4HeaderBytes + payload_bytes));
    out.u32be(0).u8(kHops).u8(protocol).u16be(0);
    out.u32be(from.ipv4().bits).u32be(to.ipv4().bits);
    Bytes header = std::move(out).take();
    set_ipv4_checksum(header.data());
    return header;
  }
  out.u32be(0x60000000).u16be(static_cast<std::uint16_t>(payload_bytes)).u8(protocol).u8(kHops);
  out.bytes(from.bytes).bytes(to.bytes);
  return std::move(out).take();
}

/// `transport` has a zero checksum at `checksum_at`.
Bytes make_frame(MacAddress const& to_mac, IpAddress const& from, IpAddress const& to,
                 std::uint8_t protocol, Bytes transport, std::size_t checksum_at) {
  Bytes const ip = make_ip_header(from, to, protocol, transport.size());
  std::uint16_t sum =
      checksum_finish(checksum_add(checksum_pseudo_header(ip.data(), transport.size()), transport));
  if (sum == 0) sum = 0xffff;  // RFC 768: zero means none; for ICMPv6 both are the same
  std::memcpy(&transport[checksum_at], &sum, sizeof sum);
  auto const ethernet =
      make_ethernet_header(to_mac, kGateMac, to.is_ipv4() ? kEtherTypeIpv4 : kEtherTypeIpv6);
  Bytes frame(ethernet.begin(), ethernet.end());
  append(frame, ip);
  append(frame, transport);
  return frame;
}

}  // namespace

IpAddress service_ipv4() noexcept {
  return kServiceIpv4;
}

IpAddress service_ipv6() noexcept {
  std::array<std::uint8_t, 16> bytes{};
  std::copy(kServiceIpv6.begin(), kServiceIpv6.end(), bytes.begin());
  return IpAddress(bytes);
}

IpAddress vm_prefix(Ipv4 vm) noexcept {
  std::array<std::uint8_t, 16> bytes{};
  put_u32be(&bytes[0], kVmPrefix);
  put_u32be(&bytes[4], vm.bits);
  return IpAddress(bytes);
}

IpAddress slaac_address(Ipv4 vm, MacAddress const& mac) noexcept {
  IpAddress address = vm_prefix(vm);
  std::copy_n(mac.octets.begin(), 3, &address.bytes[8]);
  address.bytes[8] ^= 2;  // the universal/local bit is the other way round
  address.bytes[11] = 0xff;
  address.bytes[12] = 0xfe;
  std::copy_n(mac.octets.begin() + 3, 3, &address.bytes[13]);
  return address;
}

std::optional<VmQuestion> parse_vm_question(ByteView frame) noexcept {
  VmQuestion out;
  Cursor in(frame);
  in.take(6);
  ByteView const sender = in.take(6);
  std::copy(sender.begin(), sender.end(), out.sender.octets.begin());
  std::uint16_t const type = in.u16be();
  if (!in.ok() || (type != kEtherTypeIpv4 && type != kEtherTypeIpv6)) return std::nullopt;
  ByteView const packet = frame.subspan(kEthernetHeaderBytes);
  ByteView const transport =
      type == kEtherTypeIpv4 ? take_ipv4(in, packet, out) : take_ipv6(in, packet, out);
  if (!in.ok()) return std::nullopt;
  Cursor header(transport);
  if (out.protocol == kProtocolIcmpV6 && type == kEtherTypeIpv6) {
    // Complete also where UDP's is not: the kernel makes it itself.
    std::uint64_t const pseudo = checksum_pseudo_header(packet.data(), transport.size());
    if (checksum_fold(checksum_add(pseudo, transport)) != 0xffff) return std::nullopt;
    out.message = transport;
    return out;
  }
  out.source_port = header.u16be();
  out.destination_port = header.u16be();
  std::size_t const bytes = header.u16be();
  // The checksum is not looked at: a VM with offloads leaves it to a device that is not there, and
  // the frame came here through memory.
  header.u16be();
  bool const whole = header.ok() && out.protocol == kProtocolUdp && bytes == transport.size();
  if (!whole) return std::nullopt;
  out.message = transport.subspan(kUdpHeaderBytes);
  return out;
}

Bytes make_udp_frame(MacAddress const& to_mac, IpAddress const& from, std::uint16_t from_port,
                     IpAddress const& to, std::uint16_t to_port, ByteView payload) {
  ByteWriter out;
  out.u16be(from_port).u16be(to_port);
  out.u16be(static_cast<std::uint16_t>(kUdpHeaderBytes + payload.size())).u16be(0);
  out.bytes(payload);
  return make_frame(to_mac, from, to, kProtocolUdp, std::move(out).take(), 6);
}

Bytes make_icmp6_frame(MacAddress const& to_mac, IpAddress const& from, IpAddress const& to,
                       ByteView message) {
  return make_frame(to_mac, from, to, kProtocolIcmpV6, to_bytes(message), 2);
}

std::optional<Bytes> encode_dns_name(std::string_view name) {
  Bytes out;
  for (std::size_t at = 0; at <= name.size();) {
    std::size_t const end = std::min(name.find('.', at), name.size());
    std::string_view const label = name.substr(at, end - at);
    if (label.empty() || label.size() > kLabelBytesMax) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(label.size()));
    append(out, as_bytes(label));
    at = end + 1;
  }
  out.push_back(0);
  if (out.size() > kNameBytesMax) return std::nullopt;
  return out;
}

}  // namespace shamon
