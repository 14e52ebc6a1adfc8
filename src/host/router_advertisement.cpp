#include "host/router_advertisement.hpp"

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "tunnel/forwarder.hpp"

namespace shamon {
namespace {

constexpr std::uint8_t kSolicitation = 133, kAdvertisement = 134;
constexpr std::uint8_t kOtherConfiguration = 0x40;  // DHCPv6 has more, but no addresses
constexpr std::uint8_t kOnLinkAutonomous = 0xc0;
constexpr std::uint32_t kForever = 0xffffffff;  // the prefix is the VM's as long as its address is

/// RFC 8106 §5.2, filled up to a multiple of 8.
void put_search_domain(ByteWriter& out, std::string const& domain) {
  auto const name = encode_dns_name(domain);
  if (!name) return;
  std::size_t const units = (8 + name->size() + 7) / 8;
  out.u8(31).u8(static_cast<std::uint8_t>(units)).u16be(0).u32be(kRouterLifetimeSeconds);
  out.bytes(*name).bytes(Bytes(units * 8 - 8 - name->size()));
}

}  // namespace

bool is_router_solicitation(ByteView icmp) noexcept {
  Cursor in(icmp);
  bool const kind = in.u8() == kSolicitation && in.u8() == 0;
  in.take(6);
  while (in.ok() && !in.at_end()) {
    in.u8();
    std::size_t const units = in.u8();
    if (units == 0) return false;
    in.take(units * 8 - 2);
  }
  return kind && in.ok();
}

Bytes make_router_advertisement(ServedVm const& vm, std::string const& domain) {
  ByteWriter out;
  out.u8(kAdvertisement).u8(0).u16be(0);
  out.u8(64).u8(kOtherConfiguration).u16be(kRouterLifetimeSeconds).u32be(0).u32be(0);
  out.u8(1).u8(1).bytes(kGateMac.octets);
  out.u8(5).u8(1).u16be(0).u32be(vm.mtu);
  out.u8(3).u8(4).u8(64).u8(kOnLinkAutonomous).u32be(kForever).u32be(kForever).u32be(0);
  out.bytes(vm_prefix(vm.address).bytes);
  out.u8(25).u8(3).u16be(0).u32be(kRouterLifetimeSeconds).bytes(service_ipv6().bytes);
  put_search_domain(out, domain);
  return std::move(out).take();
}

}  // namespace shamon
