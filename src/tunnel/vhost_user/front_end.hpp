// The connection of one front end: messages with their descriptors in, replies out.
#pragma once

#include <optional>
#include <vector>

#include "base/fd.hpp"
#include "tunnel/vhost_user/message.hpp"

namespace shamon::vhost_user {

class FrontEnd {
 public:
  struct Letter {
    Message message;
    std::vector<UniqueFd> descriptors;
  };
  FrontEnd() = default;
  /// A connected, non-blocking stream socket.
  explicit FrontEnd(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

  int fd() const noexcept { return socket_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  /// The next message, or nothing if none is complete; then ended() tells whether one can come.
  Checked<std::optional<Letter>> receive();
  bool ended() const noexcept { return ended_; }
  /// Fault: no_reply if the front end does not read.
  Checked<void> reply(ByteView bytes) noexcept;

 private:
  Checked<bool> fill(std::size_t wanted);

  UniqueFd socket_;
  bool ended_ = false;
  std::optional<Header> header_;
  std::array<std::uint8_t, kPayloadBytesMax> input_{};  ///< the header, then the payload
  std::size_t filled_ = 0;
  std::vector<UniqueFd> descriptors_;
};

}  // namespace shamon::vhost_user
