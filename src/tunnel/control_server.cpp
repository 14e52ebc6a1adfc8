#include "tunnel/control_server.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace shamon {

namespace {

struct alignas(cmsghdr) DescriptorSpace {
  std::array<std::uint8_t, CMSG_SPACE(kDescriptorsMax * sizeof(int))> bytes{};
};

}  // namespace

ssize_t send_with_descriptors(int socket, ByteView message, std::span<int const> descriptors,
                              int flags) noexcept {
  iovec part{const_cast<std::uint8_t*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  DescriptorSpace space;
  if (descriptors.size() > kDescriptorsMax) {
    errno = EINVAL;
    return -1;
  }
  if (!descriptors.empty()) {
    header.msg_control = space.bytes.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size_bytes());
  }
  return ::sendmsg(socket, &header, flags | MSG_NOSIGNAL);
}

ssize_t receive_with_descriptors(int socket, std::span<std::uint8_t> buffer,
                                 std::vector<UniqueFd>& descriptors, int flags) {
  iovec part{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  DescriptorSpace space;
  header.msg_control = space.bytes.data();
  header.msg_controllen = space.bytes.size();
  ssize_t const got = ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::size_t const here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < here; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    errno = EBADMSG;
    return -1;
  }
  return got;
}

Result<ControlServer> ControlServer::listen(std::string const& path, uid_t client_uid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "control socket path is empty or too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return fail_errno("control socket");
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
  mode_t const before = ::umask(0177);
  int const bound =
      ::bind(listener.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address);
  ::umask(before);
  if (bound != 0) return fail_errno("bind " + path);
  if (client_uid != ::geteuid() && ::chown(path.c_str(), client_uid, static_cast<gid_t>(-1)) != 0) {
    return fail_errno("chown " + path);
  }
  if (::listen(listener.get(), 4) != 0) return fail_errno("listen " + path);
  return ControlServer(std::move(listener), client_uid);
}

bool ControlServer::accept() noexcept {
  UniqueFd candidate(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!candidate || client_) return false;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(candidate.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid != client_uid_ && peer.uid != 0) return false;
  client_ = std::move(candidate);
  return true;
}

void ControlServer::disconnect() noexcept {
  client_.reset();
  for (auto const& waiting : queue_) lost_ += waiting.if_full == IfFull::drop_and_count ? 1 : 0;
  queue_.clear();
  wipe(buffer_);
}

Result<std::optional<ControlServer::Command>> ControlServer::receive() noexcept {
  Command command;
  ssize_t const got =
      receive_with_descriptors(client_.get(), buffer_, command.descriptors, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<Command>();
  if (got <= 0) return fail(Errc::unreachable, "control connection ended");
  command.bytes = std::span(buffer_).first(static_cast<std::size_t>(got));
  return std::optional<Command>(std::move(command));
}

bool ControlServer::try_send(ByteView message) noexcept {
  return ::send(client_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void ControlServer::send_bytes(ByteView message, IfFull if_full) {
  if (client_ && queue_.empty() && try_send(message)) return;
  if (client_ && queue_.size() < kControlQueueMax) {
    queue_.push_back({to_bytes(message), if_full});
    return;
  }
  if (if_full == IfFull::drop_and_count) ++lost_;
  if (client_ && if_full == IfFull::disconnect) disconnect();
}

void ControlServer::flush() noexcept {
  while (client_ && !queue_.empty() && try_send(queue_.front().message)) queue_.pop_front();
}

}  // namespace shamon
