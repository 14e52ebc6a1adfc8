#include "host/dhcp.hpp"

#include <algorithm>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "tunnel/forwarder.hpp"

namespace shamon {
namespace {

constexpr std::uint32_t kMagic = 0x63825363;   // RFC 2131 §3
constexpr std::size_t kMessageBytesMin = 300;  // RFC 951; some clients take no less
constexpr std::uint16_t kBroadcastFlag = 0x8000;
constexpr std::size_t kOptionBytesMax = 255;

/// Option 53.
enum class Kind : std::uint8_t {
  discover = 1,
  offer = 2,
  request = 3,
  ack = 5,
  nak = 6,
  inform = 8
};

struct Asked {
  std::uint32_t transaction = 0;
  std::uint16_t flags = 0;
  Ipv4 client;  ///< ciaddr: what it has already
  ByteView hardware;
  std::uint8_t kind = 0;
  std::optional<Ipv4> wanted, server;
};

std::optional<Ipv4> address_in(ByteView value) noexcept {
  if (value.size() != 4) return std::nullopt;
  return Ipv4{Cursor(value).u32be()};
}

bool read_options(Cursor& in, Asked& out) noexcept {
  while (in.ok() && !in.at_end()) {
    std::uint8_t const code = in.u8();
    if (code == 255) return true;
    if (code == 0) continue;
    ByteView const value = in.take(in.u8());
    if (code == 53 && value.size() == 1) out.kind = value[0];
    if (code == 50) out.wanted = address_in(value);
    if (code == 54) out.server = address_in(value);
  }
  return in.ok();  // some leave out the end
}

std::optional<Asked> read_request(ByteView message, MacAddress const& mac) noexcept {
  Cursor in(message);
  Asked out;
  // BOOTREQUEST; Ethernet, whose addresses have 6 bytes.
  bool const ethernet = in.u8() == 1 && in.u8() == 1 && in.u8() == 6;
  in.u8();
  out.transaction = in.u32be();
  in.u16be();
  out.flags = in.u16be();
  out.client = {in.u32be()};
  in.take(8);
  std::uint32_t const relay = in.u32be();
  out.hardware = in.take(16);
  in.take(64 + 128);
  bool const dhcp = in.u32be() == kMagic;
  // No relay stands between a VM and its gate, and a VM asks for itself.
  if (!in.ok() || !ethernet || !dhcp || relay != 0) return std::nullopt;
  if (!std::equal(mac.octets.begin(), mac.octets.end(), out.hardware.begin())) return std::nullopt;
  if (!read_options(in, out)) return std::nullopt;
  return out;
}

void put_option(ByteWriter& out, std::uint8_t code, ByteView value) {
  if (value.empty() || value.size() > kOptionBytesMax) return;
  out.u8(code).u8(static_cast<std::uint8_t>(value.size())).bytes(value);
}

void put_u32_option(ByteWriter& out, std::uint8_t code, std::uint32_t value) {
  out.u8(code).u8(4).u32be(value);
}

std::uint32_t mask_of(std::uint8_t prefix_length) noexcept {
  return prefix_length == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix_length);
}

/// RFC 3442: a client that knows it takes no other routes. The services are on the link, and
/// everything else is behind the gate.
Bytes classless_routes(ServedVm const& vm) {
  ByteWriter out;
  out.u8(32).u32be(kServiceIpv4.bits).u32be(0);
  out.u8(0).u32be(router_of(vm).bits);
  return std::move(out).take();
}

void put_configuration(ByteWriter& out, ServedVm const& vm, std::string const& domain) {
  put_u32_option(out, 1, mask_of(vm.prefix_length));
  put_u32_option(out, 3, router_of(vm).bits);
  put_u32_option(out, 6, kServiceIpv4.bits);
  put_option(out, 12, as_bytes(vm.name.value()));
  put_option(out, 15, as_bytes(domain));
  out.u8(26).u8(2).u16be(vm.mtu);
  if (auto const search = encode_dns_name(domain)) put_option(out, 119, *search);  // RFC 3397
  put_option(out, 121, classless_routes(vm));
}

DhcpAnswer make_answer(Kind kind, Asked const& asked, ServedVm const& vm,
                       std::string const& domain) {
  bool const refused = kind == Kind::nak,
             leased = asked.kind != static_cast<std::uint8_t>(Kind::inform);
  ByteWriter out;
  out.u8(2).u8(1).u8(6).u8(0).u32be(asked.transaction).u16be(0).u16be(asked.flags);
  out.u32be(refused ? 0 : asked.client.bits).u32be(refused || !leased ? 0 : vm.address.bits);
  out.u32be(0).u32be(0).bytes(asked.hardware).bytes(Bytes(64 + 128)).u32be(kMagic);
  out.u8(53).u8(1).u8(static_cast<std::uint8_t>(kind));
  put_u32_option(out, 54, kServiceIpv4.bits);
  if (!refused && leased) put_u32_option(out, 51, kDhcpLeaseSeconds);
  if (!refused) put_configuration(out, vm, domain);
  out.u8(255);
  DhcpAnswer answer{{~0u}, std::move(out).take()};
  answer.message.resize(std::max(answer.message.size(), kMessageBytesMin));
  // RFC 2131 §4.1. A NAK goes to everybody: what the client calls its own it must not use.
  bool const broadcast = refused || ((asked.flags & kBroadcastFlag) != 0 && asked.client.bits == 0);
  if (!broadcast) answer.to = vm.address;
  return answer;
}

constexpr std::size_t kDuidBytesMax = 130;                    // RFC 8415 §11.1
constexpr std::uint8_t kInformationRequest = 11, kReply = 7;  // RFC 8415 §7.3

/// DUID-LL (RFC 8415 §11.4) of the gate. Every gate has the same, as it has the same address: a VM
/// that migrates finds the server it knows.
Bytes gate_duid() {
  ByteWriter out;
  out.u16be(3).u16be(1).bytes(kGateMac.octets);
  return std::move(out).take();
}

void put_option6(ByteWriter& out, std::uint16_t code, ByteView value) {
  if (!value.empty()) out.u16be(code).u16be(static_cast<std::uint16_t>(value.size())).bytes(value);
}

}  // namespace

Ipv4 router_of(ServedVm const& vm) noexcept {
  if (vm.prefix_length > 30) return kServiceIpv4;
  std::uint32_t const last = (vm.address.bits | ~mask_of(vm.prefix_length)) - 1;
  return {last == vm.address.bits ? last - 1 : last};
}

std::optional<DhcpAnswer> answer_dhcp(ByteView message, ServedVm const& vm,
                                      std::string const& domain) {
  auto const asked = read_request(message, vm.mac);
  if (!asked) return std::nullopt;
  switch (asked->kind) {
    case static_cast<std::uint8_t>(Kind::discover):
      return make_answer(Kind::offer, *asked, vm, domain);
    case static_cast<std::uint8_t>(Kind::request): {
      if (asked->server && *asked->server != kServiceIpv4) return std::nullopt;
      Ipv4 const wanted = asked->wanted.value_or(asked->client);
      bool const agreed =
          wanted == vm.address && (asked->client.bits == 0 || asked->client == vm.address);
      return make_answer(agreed ? Kind::ack : Kind::nak, *asked, vm, domain);
    }
    case static_cast<std::uint8_t>(Kind::inform):
      if (asked->client != vm.address) return std::nullopt;
      return make_answer(Kind::ack, *asked, vm, domain);
    default: return std::nullopt;  // DECLINE and RELEASE change nothing
  }
}

std::optional<Bytes> answer_dhcpv6(ByteView message, std::string const& domain) {
  Cursor in(message);
  std::uint8_t const kind = in.u8();
  ByteView const transaction = in.take(3);
  ByteView client;
  Bytes const server = gate_duid();
  while (in.ok() && !in.at_end()) {
    std::uint16_t const code = in.u16be();
    ByteView const value = in.take(in.u16be());
    bool const other_server =
        code == 2 && !std::equal(value.begin(), value.end(), server.begin(), server.end());
    // RFC 8415 §16.12: for another server, or with a request for an address.
    if (other_server || code == 3 || code == 4 || code == 25) return std::nullopt;
    if (code == 1) client = value;
  }
  if (!in.ok() || kind != kInformationRequest || client.size() > kDuidBytesMax) return std::nullopt;
  ByteWriter out;
  out.u8(kReply).bytes(transaction);
  put_option6(out, 1, client);
  put_option6(out, 2, server);
  put_option6(out, 23, service_ipv6().bytes);
  if (auto const search = encode_dns_name(domain)) put_option6(out, 24, *search);
  out.u16be(32).u16be(4).u32be(kDhcpLeaseSeconds);  // ask again then
  return std::move(out).take();
}

}  // namespace shamon
