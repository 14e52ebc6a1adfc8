#include "tunnel/vhost_user/front_end.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>

namespace shamon::vhost_user {

namespace {

/// Takes every descriptor out of a control message, so that none is left open.
void collect(msghdr& message, std::vector<UniqueFd>& out) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::size_t const count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      out.emplace_back(fd);
    }
  }
}

}  // namespace

/// True once `wanted` bytes are there.
Checked<bool> FrontEnd::fill(std::size_t wanted) {
  while (filled_ < wanted) {
    iovec part{&input_[filled_], wanted - filled_};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kRegionsMax * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t const got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    collect(message, descriptors_);
    if ((message.msg_flags & MSG_CTRUNC) != 0 || descriptors_.size() > kRegionsMax) {
      return stop_with(Fault::bad_descriptors);
    }
    filled_ += static_cast<std::size_t>(got);
  }
  return true;
}

Checked<std::optional<FrontEnd::Letter>> FrontEnd::receive() {
  std::optional<Letter> none;
  if (!header_) {
    auto const there = fill(kHeaderBytes);
    if (!there) return stop_with(there.error());
    if (!*there) return none;
    auto const header = parse_header(ByteView(input_).first(kHeaderBytes));
    if (!header) return stop_with(header.error());
    header_ = *header;
    filled_ = 0;
  }
  auto const there = fill(header_->payload_bytes);
  if (!there) return stop_with(there.error());
  if (!*there) return none;
  auto const message =
      parse_message(*header_, ByteView(input_).first(header_->payload_bytes), descriptors_.size());
  if (!message) return stop_with(message.error());
  header_.reset();
  filled_ = 0;
  return std::optional<Letter>(Letter{*message, std::exchange(descriptors_, {})});
}

Checked<void> FrontEnd::reply(ByteView bytes) noexcept {
  ssize_t const sent =
      ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(bytes.size())) return {};
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
    ended_ = true;
    return {};
  }
  // Replies are a few bytes to a peer that waits for each.
  return stop_with(Fault::no_reply);
}

}  // namespace shamon::vhost_user
