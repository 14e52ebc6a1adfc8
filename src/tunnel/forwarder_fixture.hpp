// Gates without processes for the tests and fuzz targets of the packet path: real monitor, tables,
// keys and socket ports; the wire between two of them is a list of datagrams.
#pragma once

#include <deque>

#include <sys/socket.h>

#include "base/assert.hpp"
#include "policy/source.hpp"
#include "tunnel/forwarder.hpp"
#include "tunnel/packet_fixture.hpp"
#include "tunnel/socket_port.hpp"

namespace shamon::test {

inline WallTime no_wall_clock() noexcept {
  return {};
}

/// A VM at the other end of a port.
struct Vm {
  Port* port = nullptr;
  UniqueFd socket;

  void send(Bytes const& frame) const {
    (void)!::send(socket.get(), frame.data(), frame.size(), MSG_DONTWAIT);
  }
  /// A packet in a frame to the gate.
  void send_packet(Bytes const& packet) const {
    auto const header = make_ethernet_header(kGateMac, port->mac, kEtherTypeIpv4);
    Bytes frame(header.begin(), header.end());
    append(frame, packet);
    send(frame);
  }
  std::optional<Bytes> receive() const {
    Bytes frame(kFrameBytesMax);
    ssize_t const got = ::recv(socket.get(), frame.data(), frame.size(), MSG_DONTWAIT);
    if (got < 0) return std::nullopt;
    frame.resize(static_cast<std::size_t>(got));
    return frame;
  }
};

struct TestGate {
  explicit TestGate(std::string const& policy_text)
      : trail([this](gate::Audit const& audit) { audits.push_back(audit); }),
        monitor([this](AuditRecord const& record) { trail.record(record, monitor.policy(), now); }),
        forwarder(monitor, trail, ports, associations, routes,
                  {[this](Endpoint const&, Underlay::Run const& run) {
                     if (wire) {
                       wire(run);
                       return Underlay::Sent{true, 0};
                     }
                     sent.push_back({to_bytes(run.bytes), run.segment_bytes, run.traffic_class});
                     return Underlay::Sent{true, 0};
                   },
                   [this](HostName const& peer, LabelName const&, PathId, Instant) {
                     wanted.push_back(peer);
                   },
                   [](Port&) {},
                   [this](Port& port, std::span<std::uint8_t> frame, Instant) {
                     if (serves) asked.push_back({port.id, to_bytes(frame)});
                     return serves;
                   },
                   &no_wall_clock}) {
    auto built = build_policy("test.policy", policy_text);
    SHAMON_ASSERT(built.has_value());
    auto next = std::make_shared<CompiledPolicy const>(std::move(built->compiled));
    auto permit = monitor.authorize(PolicyLoad{next->revision(), true}, {});
    SHAMON_ASSERT(permit.has_value());
    monitor.load(*std::move(permit), next);
    forwarder.set_lease({1'000'000'000'000});
  }
  TestGate(TestGate const&) = delete;
  TestGate& operator=(TestGate const&) = delete;

  LabelId label(std::string const& name) const {
    return monitor.policy().find_label(LabelName(name)).value_or(kNoLabel);
  }

  Vm attach(std::uint32_t id, std::string const& vm, std::string const& label_name, Ipv4 address) {
    int ends[2];
    SHAMON_ASSERT(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    return {attach(id, vm, label_name, address, make_datagram_port(UniqueFd(ends[0]), true)),
            UniqueFd(ends[1])};
  }
  Port* attach(std::uint32_t id, std::string const& vm, std::string const& label_name, Ipv4 address,
               std::unique_ptr<PortDriver> driver) {
    auto permit =
        monitor.authorize(PortAttach{VmName(vm), label(label_name), PortId(id), address}, {});
    SHAMON_ASSERT(permit.has_value());
    MacAddress mac = kMac;
    mac.octets[5] = static_cast<std::uint8_t>(address.bits);
    auto port =
        ports.attach(*std::move(permit), {LabelName(label_name), mac, 1500}, std::move(driver));
    SHAMON_ASSERT(port.has_value());
    return *port;
  }

  /// One end of a pair: `mine` seals, `its` opens.
  void open(std::uint32_t id, std::string const& peer, std::string const& label_name,
            std::uint8_t mine, std::uint8_t its) {
    AssociationSpec spec;
    spec.peer = {Ipv4{0xc0000200u + its}, 4500};
    spec.spi_out = Spi(0x1000u + mine);
    spec.spi_in = Spi(0x1000u + its);
    spec.peer_name = HostName(peer);
    spec.label = LabelName(label_name);
    auto permit = monitor.authorize(
        AssociationOpen{AssociationId(id), HostName(peer), label(label_name), true, true}, {});
    SHAMON_ASSERT(permit.has_value());
    std::array<std::uint8_t, 36> const key_in{its}, key_out{mine};
    SHAMON_ASSERT(
        associations.open(*std::move(permit), spec, {Secret<36>(key_in), Secret<36>(key_out)}, now)
            .has_value());
  }

  void route(Ipv4 address, std::string const& vm, std::string const& label_name,
             std::string const& peer) {
    auto const path = associations.path(HostName(peer), LabelName(label_name));
    SHAMON_ASSERT(path.has_value());
    SHAMON_ASSERT(routes
                      .set(address, {VmName(vm), LabelName(label_name), label(label_name),
                                     HostName(peer), *path})
                      .has_value());
  }

  /// Takes what the VM sent through the gate.
  void turn(Vm const& vm) {
    std::vector<std::uint8_t> buffer(kPortBufferBytes);
    for (;;) {
      auto const frame = vm.port->driver->receive(buffer);
      if (!frame) break;
      forwarder.from_port(*vm.port, *frame, now);
    }
    forwarder.end_of_turn(now);
  }

  /// Takes what another gate sent to this one.
  void receive_from(TestGate& other) {
    for (Sent& run : other.sent) {
      forwarder.from_underlay({run.bytes, run.segment_bytes, run.traffic_class}, now);
    }
    forwarder.end_of_turn(now);  // what was coalesced points into the runs
    other.sent.clear();
  }

  std::size_t count_audits(Hook hook, Verdict verdict) const {
    return static_cast<std::size_t>(
        std::count_if(audits.begin(), audits.end(), [&](gate::Audit const& audit) {
          return audit.hook == static_cast<std::uint32_t>(hook) &&
                 audit.verdict == static_cast<std::uint32_t>(verdict);
        }));
  }

  struct Sent {
    Bytes bytes;
    std::size_t segment_bytes;
    std::uint8_t traffic_class;
  };
  Instant now{1000};
  std::vector<gate::Audit> audits;
  std::vector<HostName> wanted;
  std::deque<Sent> sent;
  std::function<void(Underlay::Run const&)> wire;  ///< takes what is sent, in place of `sent`
  bool serves = false;                             ///< frames for services go to `asked`
  std::vector<std::pair<PortId, Bytes>> asked;
  AuditTrail trail;
  Monitor monitor;
  PortTable ports;
  AssociationTable associations;
  RouteTable routes;
  Forwarder forwarder;
};

/// Green and red must not meet; blue may write to green.
inline constexpr char const* kThreeLabels =
    "coalition test revision 1\n"
    "type green_t red_t blue_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "label blue { share blue_t }\n"
    "allow blue -> green udp/9000\n";

}  // namespace shamon::test
