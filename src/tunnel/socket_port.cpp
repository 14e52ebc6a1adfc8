#include "tunnel/socket_port.hpp"

#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include <sys/socket.h>

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
  DatagramPort(UniqueFd descriptor, bool sequenced, bool receives) noexcept
      : fd_(std::move(descriptor)), sequenced_(sequenced), receives_(receives) {}

  int fd() const noexcept override { return receives_ ? fd_.get() : -1; }
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
  bool receives_;
};

/// The writing side of a stream, for all workers: a frame once begun must be finished, or the
/// stream loses its framing.
class StreamWriter {
 public:
  explicit StreamWriter(UniqueFd descriptor) noexcept : fd_(std::move(descriptor)) {}
  int fd() const noexcept { return fd_.get(); }

  Outcome send(std::span<iovec> parts) {
    std::lock_guard const lock(mutex_);
    if (flush_rest() == Outcome::closed) return Outcome::closed;
    if (!rest_.empty()) return Outcome::busy;
    std::size_t bytes = 0;
    for (iovec const& part : parts.subspan(1)) bytes += part.iov_len;
    std::array<std::uint8_t, 4> length{};
    put_u32be(length.data(), static_cast<std::uint32_t>(bytes));
    parts[0] = {length.data(), length.size()};
    ssize_t const sent = send_parts(fd_.get(), parts);
    if (sent < 0) return outcome_of_errno();
    std::size_t skip = static_cast<std::size_t>(sent);
    for (iovec const& part : parts) {
      std::size_t const skipped = std::min(skip, part.iov_len);
      auto const* from = static_cast<std::uint8_t const*>(part.iov_base);
      rest_.insert(rest_.end(), from + skipped, from + part.iov_len);
      skip -= skipped;
    }
    return Outcome::done;
  }
  bool waits() {
    std::lock_guard const lock(mutex_);
    return !rest_.empty();
  }
  Outcome flush() {
    std::lock_guard const lock(mutex_);
    return flush_rest();
  }

 private:
  Outcome flush_rest() noexcept {
    if (rest_.empty()) return Outcome::done;
    ssize_t const sent = ::send(fd_.get(), rest_.data(), rest_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return outcome_of_errno();
    rest_.erase(rest_.begin(), rest_.begin() + sent);
    return rest_.empty() ? Outcome::done : Outcome::busy;
  }

  UniqueFd fd_;
  std::mutex mutex_;
  std::vector<std::uint8_t> rest_;  ///< of one frame at most
};

/// The first driver of a stream reads; the others only write.
class StreamPort final : public PortDriver {
 public:
  StreamPort(std::shared_ptr<StreamWriter> writer, bool receives)
      : writer_(std::move(writer)), input_(receives ? 4 * (kPlainFrameBytesMax + 4) : 0) {}

  int fd() const noexcept override { return input_.empty() ? -1 : writer_->fd(); }
  bool offloads() const noexcept override { return false; }

  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t>) noexcept override {
    for (;;) {
      std::span<std::uint8_t> const waiting = std::span(input_).subspan(begin_, end_ - begin_);
      if (std::size_t const bytes = next_bytes(); bytes > kPlainFrameBytesMax) {
        return tl::unexpected<Outcome>(Outcome::closed);
      } else if (waiting.size() >= 4 + bytes) {
        begin_ += 4 + bytes;
        return Frame{{}, waiting.subspan(4, bytes)};
      }
      std::memmove(input_.data(), waiting.data(), waiting.size());
      begin_ = 0;
      end_ = waiting.size();
      ssize_t const got = ::recv(fd(), &input_[end_], input_.size() - end_, MSG_DONTWAIT);
      if (got == 0) return tl::unexpected<Outcome>(Outcome::closed);
      if (got < 0) return tl::unexpected<Outcome>(outcome_of_errno());
      end_ += static_cast<std::size_t>(got);
    }
  }
  bool holds_frames() const noexcept override { return end_ - begin_ >= 4 + next_bytes(); }

  Outcome send(VnetHeader const&, std::span<iovec> parts) noexcept override {
    return writer_->send(parts);
  }
  bool wants_write() const noexcept override { return writer_->waits(); }
  Outcome flush() noexcept override { return writer_->flush(); }

 private:
  /// Of the frame whose length has arrived; 0 while it has not.
  std::size_t next_bytes() const noexcept {
    return end_ - begin_ < 4 ? 0 : get_u32be(&input_[begin_]);
  }

  std::shared_ptr<StreamWriter> writer_;
  std::vector<std::uint8_t> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

std::unique_ptr<PortDriver> make_datagram_port(UniqueFd descriptor, bool sequenced, bool receives) {
  return std::make_unique<DatagramPort>(std::move(descriptor), sequenced, receives);
}

PortDrivers make_stream_ports(UniqueFd descriptor, unsigned workers) {
  auto const writer = std::make_shared<StreamWriter>(std::move(descriptor));
  PortDrivers result;
  for (unsigned i = 0; i < workers; ++i) {
    result.push_back(std::make_unique<StreamPort>(writer, i == 0));
  }
  return result;
}

}  // namespace shamon
