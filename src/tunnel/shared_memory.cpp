#include "tunnel/shared_memory.hpp"

#include <bit>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "tunnel/audit_trail.hpp"
#include "tunnel/control_server.hpp"

namespace shamon {

namespace {

constexpr std::size_t kSocketsPerTurn = 32;  ///< then ports and commands have their turn
constexpr std::size_t kRingsPerRead = 64;
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

std::uint64_t tag_of(ChannelId id, std::size_t side) noexcept {
  return std::uint64_t{id.value()} << 8 | side;
}

/// The gate's own writable mapping of a region, made before the region was sealed.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(void* at, std::size_t bytes) noexcept : at_(at), bytes_(bytes) {}
  Mapping(Mapping&& other) noexcept
      : at_(std::exchange(other.at_, nullptr)), bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (at_ != nullptr) ::munmap(at_, bytes_);
  }
  void clear() noexcept {
    if (at_ != nullptr) std::memset(at_, 0, bytes_);
  }

 private:
  void* at_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Memory that whoever holds it can neither shrink under another's mapping nor grow.
Result<UniqueFd> make_memory(std::uint64_t bytes, int more_seals) {
  UniqueFd fd(::memfd_create("shamon-share", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("memfd_create");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return fail_errno("ftruncate memory");
  if (::fcntl(fd.get(), F_ADD_SEALS, kSizeSeals | more_seals) != 0) {
    return fail_errno("seal memory");
  }
  return fd;
}

Status check_socket(int socket) {
  int type = 0, listens = 0;
  socklen_t size = sizeof type;
  bool const is_stream =
      ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
  size = sizeof listens;
  bool const connected =
      ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 0;
  if (is_stream && connected) return {};
  return fail(Errc::invalid, "a channel's side joins over a connected stream socket");
}

}  // namespace

struct SharedMemory::Channel {
  struct Side {
    UniqueFd socket;           ///< of its events
    std::uint8_t unheard = 0;  ///< events rung for this side that are not in its socket yet
    bool waits = false;        ///< for its socket to take more
    bool has_memory = false;
    std::uint64_t rings_passed = 0;  ///< of this side, to the other
  };

  Channel(ShareSpec s, SharePermits&& p) : spec(std::move(s)), permits(std::move(p)) {}
  void clear() noexcept;

  ShareSpec spec;
  SharePermits permits;
  UniqueFd memory;
  Mapping mapping;  ///< of a region that gets sealed against writing
  std::array<Side, 2> sides;
};

/// Frees the pages under every mapping: whoever still has one reads zeros from now on. A region
/// sealed against writing cannot be punched, but its owner's mapping and ours still write.
void SharedMemory::Channel::clear() noexcept {
  auto const bytes = static_cast<off_t>(spec.size_bytes);
  (void)::fallocate(memory.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes);
  mapping.clear();
}

std::uint8_t rung_events(ByteView bytes, std::uint32_t events) noexcept {
  static_assert(gate::kShareEventsMax <= 8, "one bit each");
  unsigned mask = 0;
  for (std::uint8_t const byte : bytes) {
    if (byte < events) mask |= 1u << byte;
  }
  return static_cast<std::uint8_t>(mask);
}

Status check_share(ShareSpec const& spec) {
  if (spec.id.value() == 0 || spec.id.value() > gate::kShareIdMax) {
    return fail(Errc::invalid, "a channel's number is from 1 to 16383");
  }
  if (spec.owner == spec.user) return fail(Errc::invalid, "a VM shares nothing with itself");
  if (!std::has_single_bit(spec.size_bytes) || spec.size_bytes < gate::kShareBytesMin ||
      spec.size_bytes > gate::kShareBytesMax) {
    return fail(Errc::invalid, "a channel's size is a power of two from 4 KiB to 64 MiB");
  }
  if (spec.events > gate::kShareEventsMax) {
    return fail(Errc::invalid, "a channel has at most 8 events in each direction");
  }
  return {};
}

namespace {

bool permitted(SharePermits const& permits, ShareSpec const& spec) noexcept {
  MemoryShare const& memory = permits.memory.operation();
  if (memory.owner != spec.owner || memory.user != spec.user || memory.writable != spec.writable) {
    return false;
  }
  if (spec.events == 0) return true;
  if (!permits.to_user || !permits.to_owner) return false;
  EventBind const& there = permits.to_user->operation();
  EventBind const& back = permits.to_owner->operation();
  return there.from == spec.owner && there.to == spec.user && back.from == spec.user &&
         back.to == spec.owner;
}

}  // namespace

SharedMemory::SharedMemory(UniqueFd epoll) : epoll_(std::move(epoll)) {}
SharedMemory::SharedMemory(SharedMemory&&) noexcept = default;
SharedMemory& SharedMemory::operator=(SharedMemory&&) noexcept = default;
SharedMemory::~SharedMemory() = default;

Result<SharedMemory> SharedMemory::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll_create1");
  return SharedMemory(std::move(epoll));
}

Status SharedMemory::open(SharePermits&& permits, ShareSpec const& spec) {
  SharePermits used = std::move(permits);
  if (Status checked = check_share(spec); !checked) return checked;
  if (!permitted(used, spec)) return fail(Errc::denied, "permits of another channel");
  if (channels_.contains(spec.id)) return fail(Errc::conflict, "the channel exists");
  if (channels_.size() >= gate::kSharesMax) return fail(Errc::too_large, "too many channels");
  Channel channel(spec, std::move(used));
  Result<UniqueFd> memory = make_memory(spec.size_bytes, spec.writable ? F_SEAL_SEAL : 0);
  if (!memory) return pass(memory);
  channel.memory = *std::move(memory);
  if (!spec.writable) {
    void* const at = ::mmap(nullptr, spec.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                            channel.memory.get(), 0);
    if (at == MAP_FAILED) return fail_errno("map the memory");
    channel.mapping = Mapping(at, spec.size_bytes);
  }
  channels_.emplace(spec.id, std::move(channel));
  return {};
}

Status SharedMemory::join_events(Channel& channel, std::size_t side, UniqueFd socket) {
  Channel::Side& joining = channel.sides[side];
  if (channel.spec.events == 0) return fail(Errc::denied, "the channel has no events");
  if (joining.socket) return fail(Errc::conflict, "this side has its events already");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag_of(channel.spec.id, side);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) {
    return fail_errno("epoll_ctl");
  }
  joining.socket = std::move(socket);
  deliver(channel, side);
  return {};
}

Status SharedMemory::join_memory(Channel& channel, std::size_t side, UniqueFd socket) {
  Channel::Side& joining = channel.sides[side];
  if (joining.has_memory) return fail(Errc::conflict, "this side has the memory already");
  if (side != 0 && !channel.spec.writable) {
    if (!channel.sides[0].has_memory) {
      return fail(Errc::conflict, "the owner does not have the memory yet");
    }
    // From here on nobody can map it for writing; who did so before, the owner and we, keep it.
    int const seals = F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    if (::fcntl(channel.memory.get(), F_ADD_SEALS, seals) != 0) return fail_errno("seal memory");
  }
  std::uint8_t const byte = 0;
  int const fd = channel.memory.get();
  if (send_with_descriptors(socket.get(), {&byte, 1}, {&fd, 1}, MSG_DONTWAIT) != 1) {
    return fail_errno("send the memory");
  }
  joining.has_memory = true;
  return {};
}

Status SharedMemory::join(ChannelId id, gate::ShareSide side, gate::ShareView view,
                          UniqueFd socket) {
  auto const found = channels_.find(id);
  if (found == channels_.end()) return fail(Errc::not_found, "no such channel");
  if (Status checked = check_socket(socket.get()); !checked) return checked;
  if (side != gate::ShareSide::owner && side != gate::ShareSide::user) {
    return fail(Errc::invalid, "no such side");
  }
  auto const index = static_cast<std::size_t>(side);
  switch (view) {
    case gate::ShareView::memory: return join_memory(found->second, index, std::move(socket));
    case gate::ShareView::events: return join_events(found->second, index, std::move(socket));
  }
  return fail(Errc::invalid, "no such view");
}

void SharedMemory::renew(ChannelId id, SharePermits&& permits) {
  Channel& channel = channels_.at(id);
  SHAMON_ASSERT(permitted(permits, channel.spec));
  channel.permits = std::move(permits);
}

Status SharedMemory::end(ChannelId id) {
  auto const found = channels_.find(id);
  if (found == channels_.end()) return fail(Errc::not_found, "no such channel");
  found->second.clear();
  channels_.erase(found);
  return {};
}

/// A side whose socket is full has rings to hear; what comes meanwhile is kept, one of each event.
void SharedMemory::deliver(Channel& channel, std::size_t side) noexcept {
  Channel::Side& to = channel.sides[side];
  if (!to.socket) return;
  for (std::uint32_t event = 0; event < channel.spec.events; ++event) {
    if ((to.unheard >> event & 1) == 0) continue;
    auto const byte = static_cast<std::uint8_t>(event);
    if (::send(to.socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) break;
    to.unheard = static_cast<std::uint8_t>(to.unheard & ~(1u << event));
    ++channel.sides[1 - side].rings_passed;
  }
  bool const waits = to.unheard != 0;
  if (waits == to.waits) return;
  to.waits = waits;
  epoll_event wanted{};
  wanted.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
  wanted.data.u64 = tag_of(channel.spec.id, side);
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, to.socket.get(), &wanted);
}

std::vector<ChannelId> SharedMemory::turn() noexcept {
  std::array<epoll_event, kSocketsPerTurn> events{};
  int const count = ::epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  std::vector<ChannelId> left;
  for (int i = 0; i < count; ++i) {
    std::uint64_t const tag = events[i].data.u64;
    auto const found = channels_.find(ChannelId(static_cast<std::uint32_t>(tag >> 8)));
    if (found == channels_.end()) continue;
    Channel& channel = found->second;
    std::size_t const side = tag & 1;
    if ((events[i].events & EPOLLOUT) != 0) deliver(channel, side);
    if ((events[i].events & ~EPOLLOUT) == 0) continue;
    std::array<std::uint8_t, kRingsPerRead> bytes{};
    int const socket = channel.sides[side].socket.get();
    ssize_t const got = ::recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) {
      left.push_back(found->first);
      continue;
    }
    Channel::Side& other = channel.sides[1 - side];
    ByteView const rung(bytes.data(), static_cast<std::size_t>(got));
    other.unheard |= rung_events(rung, channel.spec.events);
    deliver(channel, 1 - side);
  }
  return left;
}

std::vector<ShareSpec> SharedMemory::specs() const {
  std::vector<ShareSpec> out;
  for (auto const& [id, channel] : channels_) out.push_back(channel.spec);
  return out;
}

std::vector<ChannelId> SharedMemory::of_vm(VmName const& vm) const {
  std::vector<ChannelId> out;
  for (auto const& [id, channel] : channels_) {
    if (channel.spec.owner == vm || channel.spec.user == vm) out.push_back(id);
  }
  return out;
}

std::vector<gate::ShareState> SharedMemory::states() const {
  std::vector<gate::ShareState> out;
  for (auto const& [id, channel] : channels_) {
    gate::ShareState state;
    state.channel = id.value();
    state.events = channel.spec.events;
    state.size_bytes = channel.spec.size_bytes;
    state.writable = channel.spec.writable ? 1 : 0;
    state.rings_of_owner = channel.sides[0].rings_passed;
    state.rings_of_user = channel.sides[1].rings_passed;
    state.owner = to_name(channel.spec.owner.value());
    state.user = to_name(channel.spec.user.value());
    out.push_back(state);
  }
  return out;
}

}  // namespace shamon
