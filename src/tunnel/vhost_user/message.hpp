// The messages of a vhost-user front end (QEMU docs/interop/vhost-user.rst): bytes in, a value or a
// fault out. No socket here.
#pragma once

#include <array>
#include <variant>

#include "base/bytes.hpp"
#include "tunnel/vhost_user/fault.hpp"
#include "tunnel/vhost_user/limits.hpp"

namespace shamon::vhost_user {

/// Only what the gate takes; every other number is a fault.
enum class Request : std::uint32_t {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  reset_owner = 4,
  set_mem_table = 5,
  set_log_base = 6,
  set_log_fd = 7,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  get_vring_base = 11,
  set_vring_kick = 12,
  set_vring_call = 13,
  set_vring_err = 14,
  get_protocol_features = 15,
  set_protocol_features = 16,
  get_queue_num = 17,
  set_vring_enable = 18,
  send_rarp = 19,
  set_status = 39,
  get_status = 40,
};

struct Header {
  Request request{};
  bool needs_reply = false;
  std::size_t payload_bytes = 0;
};

struct RingState {
  std::uint32_t queue = 0;
  std::uint32_t number = 0;
};
/// Addresses are the front end's own (user_addr of the memory table).
struct RingAddresses {
  std::uint32_t queue = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t device = 0;  ///< "used"
  std::uint64_t driver = 0;  ///< "available"
};
struct RingDescriptor {
  std::uint32_t queue = 0;
  bool present = false;
};
struct LogArea {
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
};
struct MemoryRegion {
  std::uint64_t guest = 0;
  std::uint64_t bytes = 0;
  std::uint64_t user = 0;
  std::uint64_t offset = 0;
};
struct MemoryTable {
  std::array<MemoryRegion, kRegionsMax> regions{};
  std::size_t count = 0;
};

struct Message {
  Request request{};
  bool needs_reply = false;
  std::variant<std::monostate, std::uint64_t, RingState, RingAddresses, RingDescriptor, LogArea,
               MemoryTable>
      payload;
};

/// `bytes` has kHeaderBytes. A payload that a request of that kind cannot have is refused here
/// already, before anything is read of it.
Checked<Header> parse_header(ByteView bytes) noexcept;
/// `descriptors`: how many came along; a message has exactly those it speaks of.
Checked<Message> parse_message(Header const& header, ByteView payload,
                               std::size_t descriptors) noexcept;

/// Replies have the request's number.
Bytes make_reply(Request request, std::uint64_t value);
Bytes make_reply(Request request, RingState const& state);

}  // namespace shamon::vhost_user
