#include "base/ipv4_text.hpp"

#include <charconv>
#include <cstdio>

#include <arpa/inet.h>

namespace shamon {
namespace {

/// Reads a decimal number of at most `max` from the front of `text`.
bool take_number(std::string_view& text, unsigned max, unsigned& out) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || out > max) return false;
  std::size_t const used = static_cast<std::size_t>(end - text.data());
  if (used > 1 && text[0] == '0') return false;  // no octal look-alikes
  text.remove_prefix(used);
  return true;
}

}  // namespace

Result<Ipv4> parse_ipv4(std::string_view text) {
  std::string_view rest = text;
  Ipv4 out;
  for (int i = 0; i < 4; ++i) {
    unsigned part = 0;
    bool const separated = i == 0 || (!rest.empty() && rest[0] == '.');
    if (i > 0 && separated) rest.remove_prefix(1);
    if (!separated || !take_number(rest, 255, part)) {
      return fail_at(Errc::malformed, text.size() - rest.size(),
                     "'" + std::string(text) + "' is not an IPv4 address");
    }
    out.bits = out.bits << 8 | part;
  }
  if (!rest.empty()) {
    return fail_at(Errc::malformed, text.size() - rest.size(), "text after the IPv4 address");
  }
  return out;
}

std::string to_string(IpAddress const& address) {
  if (address.is_ipv4()) return to_string(address.ipv4());
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
}

Result<IpAddress> parse_ip(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    auto const address = parse_ipv4(text);
    if (!address) return pass(address);
    return IpAddress(*address);
  }
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(AF_INET6, std::string(text).c_str(), bytes.data()) != 1) {
    return fail_at(Errc::malformed, 0, "'" + std::string(text) + "' is not an IPv6 address");
  }
  IpAddress const address(bytes);
  if (address.is_ipv4()) {
    return fail_at(Errc::malformed, 0,
                   "'" + std::string(text) + "': write the IPv4 address itself");
  }
  return address;
}

std::string to_string(Endpoint const& e) {
  std::string const address = to_string(e.address);
  return (e.address.is_ipv4() ? address : "[" + address + "]") + ":" + std::to_string(e.port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  std::size_t const colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail_at(Errc::malformed, text.size(), "expected ADDRESS:PORT");
  }
  std::string_view address_text = text.substr(0, colon);
  bool const bracketed = address_text.starts_with('[') && address_text.ends_with(']');
  if (bracketed) address_text = address_text.substr(1, address_text.size() - 2);
  auto address = parse_ip(address_text);
  if (!address) return pass(address);
  if (bracketed == address->is_ipv4()) {
    return fail_at(Errc::malformed, 0, "expected ADDRESS:PORT or [IPV6-ADDRESS]:PORT");
  }
  std::string_view port_text = text.substr(colon + 1);
  unsigned port = 0;
  if (!take_number(port_text, 65535, port) || !port_text.empty()) {
    return fail_at(Errc::malformed, colon + 1, "port must be a number up to 65535");
  }
  return Endpoint{*address, static_cast<std::uint16_t>(port)};
}

std::string to_string(MacAddress const& m) {
  char buffer[18];
  std::snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", m.octets[0], m.octets[1],
                m.octets[2], m.octets[3], m.octets[4], m.octets[5]);
  return buffer;
}

Result<MacAddress> parse_mac(std::string_view text) {
  MacAddress out;
  if (text.size() != 17) return fail_at(Errc::malformed, text.size(), "expected aa:bb:cc:dd:ee:ff");
  for (std::size_t i = 0; i < 6; ++i) {
    auto const [end, error] =
        std::from_chars(text.data() + 3 * i, text.data() + 3 * i + 2, out.octets[i], 16);
    bool const separated = i == 5 || text[3 * i + 2] == ':';
    if (error != std::errc{} || end != text.data() + 3 * i + 2 || !separated) {
      return fail_at(Errc::malformed, 3 * i, "expected aa:bb:cc:dd:ee:ff");
    }
  }
  return out;
}

}  // namespace shamon
