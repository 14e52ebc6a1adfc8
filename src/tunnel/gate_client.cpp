#include "tunnel/gate_client.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tunnel/audit_trail.hpp"
#include "tunnel/control_server.hpp"

namespace shamon {

struct GateClient::State {
  UniqueFd socket;
  std::uint32_t sequence = 0;

  template <class M>
  Result<std::uint32_t> send(M& message, std::span<int const> descriptors = {}) {
    message.header.sequence = ++sequence;
    std::span<std::uint8_t> const bytes(reinterpret_cast<std::uint8_t*>(&message), sizeof message);
    ssize_t const sent = send_with_descriptors(socket.get(), bytes, descriptors, 0);
    if (sent >= 0) return sequence;
    if (errno == EAGAIN) return fail(Errc::timeout, "the gate does not read its commands");
    return fail(Errc::unreachable, "the gate is gone");
  }
};

namespace {

/// The gate takes no connection it does not serve within this time.
constexpr timeval kSendTimeout{2, 0};

template <class M>
bool read_as(ByteView bytes, std::optional<GateClient::Event>& event) {
  if (auto message = read_message<M>(bytes)) event = *message;
  return event.has_value();
}

template <class... Ms>
std::optional<GateClient::Event> read_event(ByteView bytes,
                                            std::type_identity<std::variant<Ms...>>) {
  std::optional<GateClient::Event> event;
  (void)(read_as<Ms>(bytes, event) || ...);
  return event;
}

Result<UniqueFd> make_sealed_image(ByteView image) {
  UniqueFd fd(::memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("memfd_create");
  std::size_t done = 0;
  while (done < image.size()) {
    ssize_t const wrote = ::write(fd.get(), image.data() + done, image.size() - done);
    if (wrote <= 0) return fail_errno("write policy image");
    done += static_cast<std::size_t>(wrote);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
      0) {
    return fail_errno("seal policy image");
  }
  return fd;
}

}  // namespace

GateClient::GateClient(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
GateClient::GateClient(GateClient&&) noexcept = default;
GateClient& GateClient::operator=(GateClient&&) noexcept = default;
GateClient::~GateClient() = default;

Result<GateClient> GateClient::connect(std::string const& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "gate socket path too long");
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  auto state = std::make_unique<State>();
  state->socket.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!state->socket) return fail_errno("gate socket");
  if (::connect(state->socket.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) !=
      0) {
    return fail(Errc::unreachable, "no gate at " + socket_path + ": " + std::strerror(errno));
  }
  (void)::setsockopt(state->socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout,
                     sizeof kSendTimeout);
  gate::Hello hello;
  if (auto sent = state->send(hello); !sent) return pass(sent);
  return GateClient(std::move(state));
}

int GateClient::fd() const noexcept {
  return state_->socket.get();
}

Result<std::optional<GateClient::Event>> GateClient::receive() {
  std::array<std::uint8_t, gate::kMessageBytesMax> buffer;
  std::vector<UniqueFd> unexpected;
  ssize_t const got =
      receive_with_descriptors(state_->socket.get(), buffer, unexpected, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<Event>();
  if (got <= 0) return fail(Errc::unreachable, "the gate is gone");
  std::optional<Event> event = read_event(ByteView(buffer).first(static_cast<std::size_t>(got)),
                                          std::type_identity<Event>{});
  if (!event) return fail(Errc::malformed, "the gate sent an unknown message");
  return event;
}

Result<std::uint32_t> GateClient::load_policy(Permit<PolicyLoad> const& permit,
                                              CompiledPolicy const& policy) {
  if (permit.operation().next != policy.revision()) {
    return fail(Errc::invalid, "the permit is for another policy revision");
  }
  Bytes const image = policy.image();
  Result<UniqueFd> const fd = make_sealed_image(image);
  if (!fd) return pass(fd);
  gate::PolicyLoad message;
  message.revision = policy.revision().value();
  message.image_bytes = image.size();
  int const number = fd->get();
  return state_->send(message, {&number, 1});
}

Result<std::uint32_t> GateClient::attach_port(Permit<PortAttach>&& permit, gate::PortKind kind,
                                              LabelName const& label, MacAddress mac,
                                              std::uint16_t mtu,
                                              std::span<UniqueFd const> descriptors) {
  Permit<PortAttach> const used = std::move(permit);
  gate::PortAttach message;
  message.port = used.operation().port.value();
  message.kind = kind;
  message.vm = to_name(used.operation().vm.value());
  message.label = to_name(label.value());
  message.address = used.operation().address.bits;
  message.mac = mac.octets;
  message.mtu = mtu;
  std::vector<int> numbers;
  for (UniqueFd const& descriptor : descriptors) numbers.push_back(descriptor.get());
  return state_->send(message, numbers);
}

Result<std::uint32_t> GateClient::detach_port(PortId port) {
  gate::PortDetach message;
  message.port = port.value();
  return state_->send(message);
}

Result<std::uint32_t> GateClient::open_association(Permit<AssociationOpen>&& permit,
                                                   AssociationSpec const& spec,
                                                   AssociationKeys&& keys) {
  Permit<AssociationOpen> const used = std::move(permit);
  AssociationKeys const material = std::move(keys);
  gate::AssociationOpen message;
  message.association = used.operation().association.value();
  message.peer_address = spec.peer.address.bytes;
  message.peer_port = spec.peer.port;
  message.replaces = spec.replaces ? 1 : 0;
  message.spi_in = spec.spi_in.value();
  message.spi_out = spec.spi_out.value();
  message.lanes = spec.lanes;
  message.extended_sequence = spec.extended_sequence ? 1 : 0;
  message.peer = to_name(spec.peer_name.value());
  message.label = to_name(spec.label.value());
  message.revision = spec.revision.value();
  message.bytes_max = spec.bytes_max;
  message.seconds_max = spec.seconds_max;
  message.peer_member = spec.peer_member ? 1 : 0;
  message.peer_attested = spec.peer_attested ? 1 : 0;
  message.algorithm = static_cast<std::uint32_t>(spec.algorithm);
  std::copy_n(material.in.expose().begin(), message.key_in.size(), message.key_in.begin());
  std::copy_n(material.out.expose().begin(), message.key_out.size(), message.key_out.begin());
  Result<std::uint32_t> const sent = state_->send(message);
  wipe(message.key_in);
  wipe(message.key_out);
  return sent;
}

Result<std::uint32_t> GateClient::close_association(Permit<AssociationClose>&& permit,
                                                    gate::CloseReason reason) {
  Permit<AssociationClose> const used = std::move(permit);
  gate::AssociationClose message;
  message.association = used.operation().association.value();
  message.reason = static_cast<std::uint32_t>(reason);
  return state_->send(message);
}

Result<std::uint32_t> GateClient::set_route(Ipv4 address, VmName const& vm, LabelName const& label,
                                            HostName const& peer) {
  gate::RouteSet message;
  message.address = address.bits;
  message.vm = to_name(vm.value());
  message.label = to_name(label.value());
  message.peer = to_name(peer.value());
  return state_->send(message);
}

Result<std::uint32_t> GateClient::drop_route(Ipv4 address) {
  gate::RouteDrop message;
  message.address = address.bits;
  return state_->send(message);
}

Result<std::uint32_t> GateClient::routes_are_whole() {
  gate::RoutesWhole message;
  return state_->send(message);
}

Result<std::uint32_t> GateClient::set_lease(Instant until) {
  gate::Lease message;
  message.until_ns = until.ns;
  return state_->send(message);
}

Result<std::uint32_t> GateClient::attach_services(UniqueFd const& socket) {
  gate::ServiceAttach message;
  int const number = socket.get();
  return state_->send(message, {&number, 1});
}

Result<std::uint32_t> GateClient::request_statistics() {
  gate::StatisticsRequest message;
  return state_->send(message);
}

Result<std::uint32_t> GateClient::open_share(SharePermits&& permits, ShareSpec const& spec) {
  SharePermits const used = std::move(permits);
  MemoryShare const& memory = used.memory.operation();
  bool const events = spec.events == 0 || (used.to_user && used.to_owner);
  if (memory.owner != spec.owner || memory.user != spec.user || !events) {
    return fail(Errc::denied, "permits of another channel");
  }
  gate::ShareOpen message;
  message.channel = spec.id.value();
  message.events = spec.events;
  message.size_bytes = spec.size_bytes;
  message.writable = spec.writable ? 1 : 0;
  message.owner = to_name(spec.owner.value());
  message.user = to_name(spec.user.value());
  message.owner_label = to_name(spec.owner_label.value());
  message.user_label = to_name(spec.user_label.value());
  return state_->send(message);
}

Result<std::uint32_t> GateClient::join_share(ChannelId channel, gate::ShareSide side,
                                             gate::ShareView view, UniqueFd socket) {
  gate::ShareJoin message;
  message.channel = channel.value();
  message.side = side;
  message.view = view;
  int const number = socket.get();
  return state_->send(message, std::span(&number, socket ? 1 : 0));
}

Result<std::uint32_t> GateClient::close_share(ChannelId channel) {
  gate::ShareClose message;
  message.channel = channel.value();
  return state_->send(message);
}

}  // namespace shamon
