// The gate's end of the control socket: one client at a time, known by the kernel (SO_PEERCRED).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "base/secret.hpp"
#include "tunnel/gate_control.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

class ControlServer {
 public:
  /// Replaces a stale socket file, which gets owner `client_uid` and mode 0600. Errors: `system`.
  static Result<ControlServer> listen(std::string const& path, uid_t client_uid);

  int listen_fd() const noexcept { return listener_.get(); }
  int client_fd() const noexcept { return client_.get(); }
  bool connected() const noexcept { return static_cast<bool>(client_); }
  /// Takes a waiting connection. False if there was none, one is there already, or its user may
  /// not command the gate.
  bool accept() noexcept;
  void disconnect() noexcept;

  /// A command as received: its exact bytes and the descriptors beside them.
  struct Command {
    std::span<std::uint8_t> bytes;      ///< may be wiped by the reader; valid until the next call
    std::vector<UniqueFd> descriptors;  ///< at most kDescriptorsMax
  };
  /// Nothing if none waits. Errors: `unreachable` when the client is gone or breaks the protocol.
  Result<std::optional<Command>> receive() noexcept;

  /// What happens to a message when the queue is full or nobody is connected. The first kind ends
  /// the connection of a client that does not read.
  enum class IfFull : std::uint8_t { disconnect, drop, drop_and_count };
  template <class Message>
  void send(Message const& message, IfFull if_full = IfFull::disconnect) {
    static_assert(std::is_trivially_copyable_v<Message>);
    send_bytes({reinterpret_cast<std::uint8_t const*>(&message), sizeof message}, if_full);
  }
  /// Messages of `drop_and_count` that never reached a client, since the start; may wrap.
  std::uint32_t lost() const noexcept { return lost_; }
  void count_lost(std::uint32_t more) noexcept { lost_ += more; }
  /// Messages wait for the client: call flush() when it becomes writable.
  bool wants_write() const noexcept { return !queue_.empty(); }
  void flush() noexcept;

 private:
  ControlServer(UniqueFd listener, uid_t client_uid)
      : listener_(std::move(listener)), client_uid_(client_uid), buffer_(gate::kMessageBytesMax) {}
  struct Waiting {
    Bytes message;
    IfFull if_full;
  };
  void send_bytes(ByteView message, IfFull if_full);
  bool try_send(ByteView message) noexcept;

  UniqueFd listener_;
  uid_t client_uid_;
  UniqueFd client_;
  std::vector<std::uint8_t> buffer_;
  std::deque<Waiting> queue_;
  std::uint32_t lost_ = 0;
};

/// Reads a message of type M if `bytes` has exactly its size and kind.
template <class M>
std::optional<M> read_message(ByteView bytes) noexcept {
  static_assert(std::is_trivially_copyable_v<M> && sizeof(M) <= gate::kMessageBytesMax);
  if (bytes.size() != sizeof(M)) return std::nullopt;
  M message;
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(&message));
  if (message.header.kind != M{}.header.kind) return std::nullopt;
  return message;
}

/// The header in front of any message.
inline std::optional<gate::Header> read_header(ByteView bytes) noexcept {
  if (bytes.size() < sizeof(gate::Header)) return std::nullopt;
  gate::Header header;
  std::copy_n(bytes.begin(), sizeof header, reinterpret_cast<std::uint8_t*>(&header));
  return header;
}

/// One datagram with at most kDescriptorsMax descriptors beside it, and back. `flags` as in
/// sendmsg(2).
ssize_t send_with_descriptors(int socket, ByteView message, std::span<int const> descriptors,
                              int flags) noexcept;
ssize_t receive_with_descriptors(int socket, std::span<std::uint8_t> buffer,
                                 std::vector<UniqueFd>& descriptors, int flags);

}  // namespace shamon
