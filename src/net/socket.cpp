#include "net/socket.hpp"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ipv4_text.hpp"
#include "base/socket_address.hpp"
#include "net/limits.hpp"

namespace shamon {
namespace {

constexpr int kSocketFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

/// Small messages go at once, and a peer that vanished is noticed within a minute.
void tune_tcp(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

Result<sockaddr_un> to_sockaddr(std::string const& path) {
  if (path.empty() || path.size() > kUnixPathBytesMax) {
    return fail(Errc::too_large, "socket path of " + std::to_string(path.size()) + " bytes");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> connect_to(sockaddr const* address, socklen_t size, std::string const& name) {
  UniqueFd fd(::socket(address->sa_family, kSocketFlags, 0));
  if (!fd) return fail_errno("socket");
  if (::connect(fd.get(), address, size) != 0 && errno != EINPROGRESS) {
    return fail(Errc::unreachable, "connect to " + name + ": " + std::strerror(errno));
  }
  return fd;
}

}  // namespace

Result<UniqueFd> listen_tcp(Endpoint at) {
  SocketAddress const address(at);
  UniqueFd fd(::socket(address.family(), kSocketFlags, 0));
  if (!fd) return fail_errno("socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(fd.get(), address.get(), address.size) != 0 ||
      ::listen(fd.get(), kListenBacklog) != 0) {
    return fail_errno("listen on " + to_string(at));
  }
  return fd;
}

Result<UniqueFd> listen_unix_socket(std::string const& path, unsigned mode) {
  auto const address = to_sockaddr(path);
  if (!address) return pass(address);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, kSocketFlags, 0));
  if (!fd) return fail_errno("socket");
  // Linux gives the socket's own mode to the file bind(2) makes, so it is never wider than asked;
  // the chmod then undoes what umask took away.
  if (::fchmod(fd.get(), mode) != 0 ||
      ::bind(fd.get(), reinterpret_cast<sockaddr const*>(&*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), kListenBacklog) != 0) {
    return fail_errno("listen on " + path);
  }
  return fd;
}

Result<UniqueFd> start_connect(Endpoint to) {
  SocketAddress const address(to);
  auto fd = connect_to(address.get(), address.size, to_string(to));
  if (fd) tune_tcp(fd->get());
  return fd;
}

Result<UniqueFd> start_connect(std::string const& unix_path) {
  auto const address = to_sockaddr(unix_path);
  if (!address) return pass(address);
  return connect_to(reinterpret_cast<sockaddr const*>(&*address), sizeof *address, unix_path);
}

Result<Endpoint> local_endpoint(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.get(), &address.size) != 0) return fail_errno("getsockname");
  return address.endpoint();
}

Endpoint peer_endpoint(int fd) {
  SocketAddress address;
  if (::getpeername(fd, address.get(), &address.size) != 0) return {};
  return address.endpoint();
}

std::optional<LocalPeer> unix_peer(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return LocalPeer{credentials.uid, credentials.gid, credentials.pid};
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Acceptor::Acceptor(EventLoop& loop, UniqueFd listening, OnAccept on_accept)
    : loop_(loop), fd_(std::move(listening)), on_accept_(std::move(on_accept)) {
  loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { accept_some(); });
}

Acceptor::~Acceptor() {
  *alive_ = false;
  loop_.cancel(resume_);
  loop_.unwatch(fd_.get());
}

void Acceptor::accept_some() {
  auto const alive = alive_;
  for (int i = 0; i < kAcceptsPerWakeup && *alive; ++i) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause();
      return;
    }
    tune_tcp(fd.get());
    on_accept_(std::move(fd));
  }
}

void Acceptor::pause() {
  // The listening socket stays readable; without a pause the loop would spin on it.
  loop_.change(fd_.get(), 0);
  resume_ = loop_.after(kAcceptPause, [this] { loop_.change(fd_.get(), EPOLLIN); });
}

void linger(EventLoop& loop, UniqueFd fd) {
  static thread_local std::size_t lingering = 0;
  if (lingering >= kLingeringMax || ::shutdown(fd.get(), SHUT_WR) != 0) return;
  struct Lingerer {
    UniqueFd fd;
    explicit Lingerer(UniqueFd held) : fd(std::move(held)) { ++lingering; }
    ~Lingerer() { --lingering; }
  };
  auto const held = std::make_shared<Lingerer>(std::move(fd));
  int const number = held->fd.get();
  EventLoop::TimerId const timer =
      loop.after(kLingerMax, [&loop, number] { loop.unwatch(number); });
  loop.watch(number, EPOLLIN, [&loop, held, number, timer](std::uint32_t) {
    std::array<char, 4096> sink;
    ssize_t const size = ::recv(number, sink.data(), sink.size(), 0);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return;
    loop.cancel(timer);
    loop.unwatch(number);
  });
}

}  // namespace shamon
