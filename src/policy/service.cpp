#include "policy/service.hpp"

#include <charconv>
#include <optional>

namespace shamon {
namespace {

struct ProtocolWord {
  std::string_view word;
  std::uint8_t protocol;
  bool has_ports;
};
constexpr ProtocolWord kWords[] = {{"any", 0, false},
                                   {"icmp", kProtocolIcmp, false},
                                   {"icmp6", kProtocolIcmp6, false},
                                   {"tcp", kProtocolTcp, true},
                                   {"udp", kProtocolUdp, true}};

std::string protocol_text(std::uint8_t protocol) {
  for (auto const& word : kWords) {
    if (word.protocol == protocol) return std::string(word.word);
  }
  return "protocol " + std::to_string(protocol);
}

/// Decimal, 1..65535, no leading zero.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '0') return {};
  return port;
}

}  // namespace

Result<ServicePattern> parse_service_pattern(std::string_view text) {
  std::size_t const slash = text.find('/');
  for (auto const& [word, protocol, has_ports] : kWords) {
    if (text.substr(0, slash) != word) continue;
    if (slash == std::string_view::npos) return ServicePattern{protocol, 0, 65535};
    if (!has_ports) return fail_at(Errc::malformed, slash, std::string(word) + " has no ports");
    std::string_view const ports = text.substr(slash + 1);
    std::size_t const dash = ports.find('-');
    auto const low = parse_port(ports.substr(0, dash));
    if (!low) return fail_at(Errc::malformed, slash + 1, "a port is a number from 1 to 65535");
    if (dash == std::string_view::npos) return ServicePattern{protocol, *low, *low};
    auto const high = parse_port(ports.substr(dash + 1));
    if (!high || *high < *low) {
      return fail_at(Errc::malformed, slash + dash + 2,
                     "a port range ends with a port not below its first");
    }
    return ServicePattern{protocol, *low, *high};
  }
  return fail_at(Errc::malformed, 0,
                 "'" + std::string(text) +
                     "' is not a service; write tcp/443, udp/9000, udp/9000-9010, tcp, udp, icmp, "
                     "icmp6 or any");
}

Result<Service> parse_service(std::string_view text) {
  auto const pattern = parse_service_pattern(text);
  if (!pattern) return pass(pattern);
  if (pattern->port_low == 0) return Service{pattern->protocol, 0};
  if (pattern->port_low != pattern->port_high) {
    return fail(Errc::malformed, "'" + std::string(text) + "' is a range, not one port");
  }
  return Service{pattern->protocol, pattern->port_low};
}

std::string to_string(ServicePattern pattern) {
  std::string text = protocol_text(pattern.protocol);
  if (pattern.port_low == 0) return text;
  text += "/" + std::to_string(pattern.port_low);
  if (pattern.port_high != pattern.port_low) text += "-" + std::to_string(pattern.port_high);
  return text;
}

std::string to_string(Service service) {
  std::string text = protocol_text(service.protocol);
  if (service.port != 0) text += "/" + std::to_string(service.port);
  if (service.source_port != 0) text += " from " + std::to_string(service.source_port);
  return text;
}

}  // namespace shamon
