#include "host/vm_services.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "host/dhcp.hpp"
#include "host/router_advertisement.hpp"
#include "policy/some_flow.hpp"
#include "tunnel/forwarder.hpp"

namespace shamon {
namespace {

constexpr std::uint16_t kDhcpServerPort = 67, kDhcpClientPort = 68, kDhcp6ServerPort = 547,
                        kDhcp6ClientPort = 546, kDnsPort = 53;
constexpr std::size_t kQuestionBytesMax = 2048;  ///< more than the gate hands up (worker.hpp)
constexpr std::size_t kDatagramsPerTurn = 64;    ///< then the daemon has other things to do
/// After a gate was told of its ports, VMs that run already learn of it.
constexpr Duration kFirstAdvertisement = std::chrono::seconds(1);

constexpr MacAddress kEverybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};  // RFC 2464 §7
constexpr IpAddress kAllNodes(std::array<std::uint8_t, 16>{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                           0, 0, 1});

bool is_link_local(IpAddress const& address) noexcept {
  return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

/// What a VM may call its own: link-local, or in its prefix.
bool is_of_vm(IpAddress const& address, ServedVm const& vm) noexcept {
  if (address.is_ipv4()) return address.ipv4() == vm.address;
  return is_link_local(address) || vm_of_ipv6(address.bytes.data()) == vm.address;
}

std::optional<Bytes> answer_dhcp_question(VmQuestion const& question, ServedVm const& vm,
                                          std::string const& domain) {
  auto const answer = answer_dhcp(question.message, vm, domain);
  if (!answer) return std::nullopt;
  MacAddress const& mac = answer->to.bits == ~0u ? kEverybody : vm.mac;
  return make_udp_frame(mac, service_ipv4(), kDhcpServerPort, answer->to, kDhcpClientPort,
                        answer->message);
}

std::optional<Bytes> answer_dhcpv6_question(VmQuestion const& question, ServedVm const& vm,
                                            std::string const& domain) {
  auto const answer = answer_dhcpv6(question.message, domain);
  if (!answer || !is_link_local(question.source)) return std::nullopt;
  return make_udp_frame(vm.mac, service_ipv6(), kDhcp6ServerPort, question.source, kDhcp6ClientPort,
                        *answer);
}

std::optional<Bytes> answer_dns_question(VmQuestion const& question, ServedVm const& vm,
                                         DnsZone const& zone) {
  bool const here =
      question.destination == service_ipv4() || question.destination == service_ipv6();
  if (!here || !is_of_vm(question.source, vm)) return std::nullopt;
  auto const answer = answer_dns(question.message, zone);
  if (!answer) return std::nullopt;
  return make_udp_frame(vm.mac, question.destination, kDnsPort, question.source,
                        question.source_port, *answer);
}

std::optional<Bytes> answer_solicitation(VmQuestion const& question, ServedVm const& vm,
                                         std::string const& domain) {
  if (!is_router_solicitation(question.message)) return std::nullopt;
  // RFC 4861 §6.2.6: to who asked, unless it has no address yet.
  if (!is_link_local(question.source)) return make_unasked_advertisement(vm, domain);
  return make_icmp6_frame(vm.mac, service_ipv6(), question.source,
                          make_router_advertisement(vm, domain));
}

}  // namespace

std::optional<Bytes> answer_vm_frame(ByteView frame, ServedVm const& vm, DnsZone const& zone) {
  auto const question = parse_vm_question(frame);
  if (!question || question->sender != vm.mac) return std::nullopt;
  bool const ipv4 = question->destination.is_ipv4();
  if (question->protocol == kProtocolIcmpV6) return answer_solicitation(*question, vm, zone.domain);
  if (question->destination_port == kDnsPort) return answer_dns_question(*question, vm, zone);
  if (ipv4 && question->destination_port == kDhcpServerPort) {
    return answer_dhcp_question(*question, vm, zone.domain);
  }
  if (!ipv4 && question->destination_port == kDhcp6ServerPort) {
    return answer_dhcpv6_question(*question, vm, zone.domain);
  }
  return std::nullopt;
}

Bytes make_unasked_advertisement(ServedVm const& vm, std::string const& domain) {
  return make_icmp6_frame(kAllNodesMac, service_ipv6(), kAllNodes,
                          make_router_advertisement(vm, domain));
}

DnsZone make_dns_zone(ServedVm const& vm, VmServicesSource const& source) {
  DnsZone zone;
  zone.domain = dns_domain(source.policy().coalition());
  zone.network = vm.address;
  zone.prefix_length = vm.prefix_length;
  // Of each VM the cheap question comes first: there may be thousands.
  auto const only = [vm, &source](auto const& matches) -> std::optional<NamedVm> {
    CompiledPolicy const& policy = source.policy();
    auto const own = policy.find_label(vm.label);
    std::optional<NamedVm> found;
    std::size_t count = 0;
    source.for_each_known(
        [&](VmName const& name, LabelName const& label, Ipv4 address, MacAddress const& mac) {
          if (!matches(name, address)) return;
          auto const theirs = policy.find_label(label);
          bool const visible = name == vm.name ||
                               (own && theirs && decide_some_flow(*own, *theirs, policy).allowed());
          if (!visible) return;
          ++count;
          found = NamedVm{name, address, mac};
        });
    return count == 1 ? found : std::nullopt;
  };
  zone.find = [only](std::string_view wanted) {
    return only([&](VmName const& name, Ipv4) { return is_dns_equal(name.value(), wanted); });
  };
  zone.find_address = [only](Ipv4 wanted) {
    return only([&](VmName const&, Ipv4 address) { return address == wanted; });
  };
  return zone;
}

VmServices::VmServices(EventLoop& loop, VmServicesSource source)
    : loop_(loop), source_(std::move(source)) {}

VmServices::~VmServices() {
  close();
}

Result<UniqueFd> VmServices::open() {
  close();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return fail_errno("socket pair for the services of VMs");
  }
  socket_.reset(ends[0]);
  UniqueFd other(ends[1]);
  loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
  timer_ = loop_.after(kFirstAdvertisement, [this] { advertise(); });
  return other;
}

void VmServices::close() {
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  if (socket_) loop_.unwatch(socket_.get());
  socket_.reset();
}

void VmServices::receive() {
  for (std::size_t i = 0; i < kDatagramsPerTurn; ++i) {
    std::array<std::uint8_t, kQuestionBytesMax> buffer;
    ssize_t const got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close();  // the gate is gone; its next one asks for another pair
    std::uint32_t id = 0;
    ByteView const datagram(buffer.data(), static_cast<std::size_t>(got));
    if (datagram.size() < sizeof id) continue;
    std::memcpy(&id, datagram.data(), sizeof id);
    answer(PortId(id), datagram.subspan(sizeof id));
  }
}

void VmServices::answer(PortId port, ByteView frame) {
  auto const vm = source_.served(port);
  if (!vm) return;
  Instant const now = loop_.now();
  Asked& asked = asked_[port];
  if (now - asked.since >= std::chrono::seconds(1)) asked = {now, 0};
  if (++asked.questions > kVmQuestionsPerSecond) return;
  auto const answer = answer_vm_frame(frame, *vm, make_dns_zone(*vm, source_));
  if (answer) send(port, *answer);
}

/// Nothing waits for a gate that does not read: a VM asks again.
void VmServices::send(PortId port, ByteView frame) {
  std::uint32_t id = port.value();
  iovec parts[2] = {{&id, sizeof id}, {const_cast<std::uint8_t*>(frame.data()), frame.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  (void)::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
}

void VmServices::advertise() {
  std::string const domain = dns_domain(source_.policy().coalition());
  for (PortId port : source_.ports()) {
    if (auto const vm = source_.served(port)) send(port, make_unasked_advertisement(*vm, domain));
  }
  timer_ = loop_.after(kRouterAdvertisementPeriod, [this] { advertise(); });
}

}  // namespace shamon
