#include "tunnel/socket_port.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

#include "tunnel/tap/tap_port.hpp"

namespace shamon {

namespace {

// A hypervisor without offloads sends single frames.
constexpr std::size_t kPlainFrameBytesMax = kMtuMax + kEthernetHeaderBytes;

using Outcome = PortDriver::Outcome;

Outcome outcome_of_errno() noexcept {
  switch (errno) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    // A datagram pair whose other end is not bound yet, or gone for the moment.
    case ECONNREFUSED:
    case ENOTCONN: return Outcome::busy;
    default: return Outcome::closed;
  }
}

ssize_t send_parts(int fd, std::span<iovec> parts) noexcept {
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

class DatagramPort final : public PortDriver {
 public:
  DatagramPort(UniqueFd descriptor, bool sequenced) noexcept
      : fd_(std::move(descriptor)), sequenced_(sequenced) {}

  int fd() const noexcept override { return fd_.get(); }
  bool offloads() const noexcept override { return false; }

  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t> buffer) noexcept override {
    ssize_t const got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return tl::unexpected<Outcome>(outcome_of_errno());
    // A sequenced socket tells its end by an empty message; a datagram may simply be empty.
    if (got == 0 && sequenced_) return tl::unexpected<Outcome>(Outcome::closed);
    return Frame{{}, buffer.first(static_cast<std::size_t>(got))};
  }

  Outcome send(VnetHeader const&, std::span<iovec> parts) noexcept override {
    return send_parts(fd_.get(), parts.subspan(1)) >= 0 ? Outcome::done : outcome_of_errno();
  }

 private:
  UniqueFd fd_;
  bool sequenced_;
};

class StreamPort final : public PortDriver {
 public:
  explicit StreamPort(UniqueFd descriptor)
      : fd_(std::move(descriptor)), input_(4 * (kPlainFrameBytesMax + 4)) {}

  int fd() const noexcept override { return fd_.get(); }
  bool offloads() const noexcept override { return false; }

  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t>) noexcept override {
    for (;;) {
      std::span<std::uint8_t> const waiting = std::span(input_).subspan(begin_, end_ - begin_);
      if (waiting.size() >= 4) {
        std::size_t const bytes = get_u32be(waiting.data());
        if (bytes > kPlainFrameBytesMax) return tl::unexpected<Outcome>(Outcome::closed);
        if (waiting.size() >= 4 + bytes) {
          begin_ += 4 + bytes;
          return Frame{{}, waiting.subspan(4, bytes)};
        }
      }
      std::memmove(input_.data(), waiting.data(), waiting.size());
      begin_ = 0;
      end_ = waiting.size();
      ssize_t const got = ::recv(fd_.get(), &input_[end_], input_.size() - end_, MSG_DONTWAIT);
      if (got == 0) return tl::unexpected<Outcome>(Outcome::closed);
      if (got < 0) return tl::unexpected<Outcome>(outcome_of_errno());
      end_ += static_cast<std::size_t>(got);
    }
  }

  Outcome send(VnetHeader const&, std::span<iovec> parts) noexcept override {
    if (flush() == Outcome::closed) return Outcome::closed;
    if (wants_write()) return Outcome::busy;
    std::size_t bytes = 0;
    for (iovec const& part : parts.subspan(1)) bytes += part.iov_len;
    std::array<std::uint8_t, 4> length{};
    put_u32be(length.data(), static_cast<std::uint32_t>(bytes));
    parts[0] = {length.data(), length.size()};
    ssize_t const sent = send_parts(fd_.get(), parts);
    if (sent < 0) return outcome_of_errno();
    // A frame once begun must be finished, or the stream loses its framing.
    std::size_t skip = static_cast<std::size_t>(sent);
    for (iovec const& part : parts) {
      std::size_t const skipped = std::min(skip, part.iov_len);
      auto const* from = static_cast<std::uint8_t const*>(part.iov_base);
      output_.insert(output_.end(), from + skipped, from + part.iov_len);
      skip -= skipped;
    }
    return Outcome::done;
  }

  bool wants_write() const noexcept override { return !output_.empty(); }

  Outcome flush() noexcept override {
    if (output_.empty()) return Outcome::done;
    ssize_t const sent =
        ::send(fd_.get(), output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return outcome_of_errno();
    output_.erase(output_.begin(), output_.begin() + sent);
    return output_.empty() ? Outcome::done : Outcome::busy;
  }

 private:
  UniqueFd fd_;
  std::vector<std::uint8_t> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::vector<std::uint8_t> output_;  ///< the rest of one frame at most
};

Result<int> unix_socket_type(int fd) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return fail(Errc::invalid, "not a socket");
  }
  if (domain != AF_UNIX) return fail(Errc::invalid, "not a UNIX socket");
  return type;
}

}  // namespace

Result<std::unique_ptr<PortDriver>> make_datagram_port(UniqueFd descriptor) {
  Result<int> const type = unix_socket_type(descriptor.get());
  if (!type) return pass(type);
  if (*type != SOCK_DGRAM && *type != SOCK_SEQPACKET) {
    return fail(Errc::invalid, "a datagram port needs a datagram socket");
  }
  return std::make_unique<DatagramPort>(std::move(descriptor), *type == SOCK_SEQPACKET);
}

Result<std::unique_ptr<PortDriver>> make_stream_port(UniqueFd descriptor) {
  Result<int> const type = unix_socket_type(descriptor.get());
  if (!type) return pass(type);
  if (*type != SOCK_STREAM) return fail(Errc::invalid, "a stream port needs a stream socket");
  return std::make_unique<StreamPort>(std::move(descriptor));
}

Result<std::unique_ptr<PortDriver>> make_port_driver(gate::PortKind kind, UniqueFd descriptor) {
  int const flags = ::fcntl(descriptor.get(), F_GETFL);
  if (flags < 0 || ::fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno("set port descriptor non-blocking");
  }
  switch (kind) {
    case gate::PortKind::tap: return make_tap_port(std::move(descriptor));
    case gate::PortKind::datagram: return make_datagram_port(std::move(descriptor));
    case gate::PortKind::stream: return make_stream_port(std::move(descriptor));
  }
  return fail(Errc::unsupported, "unknown kind of port");
}

}  // namespace shamon
