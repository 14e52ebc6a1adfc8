// The frames by which VMs ask for services, and the answers: Ethernet, IP and UDP or ICMPv6 around
// a message. Pure; what a VM sends is not trusted.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/ipv4.hpp"

namespace shamon {

/// What the services tell a VM about itself.
struct ServedVm {
  VmName name;
  LabelName label;
  Ipv4 address;
  std::uint8_t prefix_length = 16;
  MacAddress mac;
  std::uint16_t mtu = 1420;
};

/// 169.254.53.1 and fe80::53 (kServiceIpv4, kServiceIpv6).
IpAddress service_ipv4() noexcept;
IpAddress service_ipv6() noexcept;
/// fd53:4841:ab:cd::, the prefix of the VM at a.b.c.d (kVmPrefix).
IpAddress vm_prefix(Ipv4 vm) noexcept;
/// The address in the prefix that a VM with that MAC gives itself (RFC 4291, appendix A).
IpAddress slaac_address(Ipv4 vm, MacAddress const& mac) noexcept;

/// One question: the UDP payload, or the whole ICMPv6 message (ports 0).
struct VmQuestion {
  MacAddress sender;
  std::uint8_t protocol = 0;
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  ByteView message;  ///< in the frame
};
/// Nothing if the frame is no whole IPv4 or IPv6 packet without options that carries UDP or ICMPv6.
std::optional<VmQuestion> parse_vm_question(ByteView frame) noexcept;

/// A frame from the gate's Ethernet address. Both addresses are of one family.
Bytes make_udp_frame(MacAddress const& to_mac, IpAddress const& from, std::uint16_t from_port,
                     IpAddress const& to, std::uint16_t to_port, ByteView payload);
/// `message` without its checksum, with 255 hops (RFC 4861 §6.1.2).
Bytes make_icmp6_frame(MacAddress const& to_mac, IpAddress const& from, IpAddress const& to,
                       ByteView message);

/// "a.b" as length-prefixed labels with an end (RFC 1035 §3.1). Nothing if a label is empty or
/// longer than 63 bytes, or the whole than 255.
std::optional<Bytes> encode_dns_name(std::string_view name);

}  // namespace shamon
