#include "tunnel/vhost_user/message.hpp"

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"

namespace shamon::vhost_user {

namespace {

constexpr std::uint32_t kVersion = 1, kVersionMask = 3, kReplyFlag = 4, kNeedReplyFlag = 8;
constexpr std::uint64_t kNoDescriptorFlag = 0x100, kQueueMask = 0xff;

enum class Shape : std::uint8_t { none, number, state, addresses, descriptor, log, table };

Checked<Shape> shape_of(Request request) noexcept {
  switch (request) {
    case Request::get_features:
    case Request::set_owner:
    case Request::reset_owner:
    case Request::set_log_fd:
    case Request::get_protocol_features:
    case Request::get_queue_num:
    case Request::get_status: return Shape::none;
    case Request::set_features:
    case Request::set_protocol_features:
    case Request::send_rarp:
    case Request::set_status: return Shape::number;
    case Request::set_vring_num:
    case Request::set_vring_base:
    case Request::get_vring_base:
    case Request::set_vring_enable: return Shape::state;
    case Request::set_vring_addr: return Shape::addresses;
    case Request::set_vring_kick:
    case Request::set_vring_call:
    case Request::set_vring_err: return Shape::descriptor;
    case Request::set_log_base: return Shape::log;
    case Request::set_mem_table: return Shape::table;
  }
  return stop_with(Fault::unknown_request);
}

bool fits(Shape shape, std::size_t bytes) noexcept {
  switch (shape) {
    case Shape::none: return bytes == 0;
    case Shape::number:
    case Shape::state:
    case Shape::descriptor: return bytes == 8;
    case Shape::addresses: return bytes == 40;
    case Shape::log: return bytes == 16;
    case Shape::table: return bytes >= 8 + 32 && bytes <= kPayloadBytesMax && bytes % 32 == 8;
  }
  return false;
}

MemoryTable read_table(Cursor& in) noexcept {
  MemoryTable table;
  table.count = in.u32le();
  in.u32le();
  if (in.remaining() != table.count * 32) in.fail();
  for (std::size_t i = 0; in.ok() && i < table.count; ++i) {
    MemoryRegion& region = table.regions[i];
    region.guest = in.u64le();
    region.bytes = in.u64le();
    region.user = in.u64le();
    region.offset = in.u64le();
  }
  return table;
}

RingAddresses read_addresses(Cursor& in) noexcept {
  RingAddresses addresses;
  addresses.queue = in.u32le();
  // Whether writes are to be logged, and where the used ring is in the guest's memory: the first
  // follows from the feature, the second from the memory table.
  in.u32le();
  addresses.descriptors = in.u64le();
  addresses.device = in.u64le();
  addresses.driver = in.u64le();
  in.u64le();
  return addresses;
}

ByteWriter begin_reply(Request request, std::uint32_t payload_bytes) {
  ByteWriter out;
  out.u32le(static_cast<std::uint32_t>(request)).u32le(kVersion | kReplyFlag).u32le(payload_bytes);
  return out;
}

}  // namespace

Checked<Header> parse_header(ByteView bytes) noexcept {
  Cursor in(bytes);
  Header header;
  header.request = static_cast<Request>(in.u32le());
  std::uint32_t const flags = in.u32le();
  header.payload_bytes = in.u32le();
  header.needs_reply = (flags & kNeedReplyFlag) != 0;
  if (!in.ok() || (flags & kVersionMask) != kVersion ||
      (flags & ~(kVersionMask | kNeedReplyFlag)) != 0) {
    return stop_with(Fault::bad_header);
  }
  auto const shape = shape_of(header.request);
  if (!shape) return stop_with(shape.error());
  if (!fits(*shape, header.payload_bytes)) return stop_with(Fault::bad_payload);
  return header;
}

Checked<Message> parse_message(Header const& header, ByteView payload,
                               std::size_t descriptors) noexcept {
  auto const shape = shape_of(header.request);
  if (!shape) return stop_with(shape.error());
  Cursor in(payload);
  Message message{header.request, header.needs_reply, {}};
  std::size_t wanted = header.request == Request::set_log_fd ? 1 : 0;
  switch (*shape) {
    case Shape::none: break;
    case Shape::number: message.payload = in.u64le(); break;
    case Shape::state: {
      std::uint32_t const queue = in.u32le();
      message.payload = RingState{queue, in.u32le()};
      break;
    }
    case Shape::addresses: message.payload = read_addresses(in); break;
    case Shape::descriptor: {
      std::uint64_t const value = in.u64le();
      if ((value & ~(kQueueMask | kNoDescriptorFlag)) != 0) in.fail();
      wanted = (value & kNoDescriptorFlag) == 0 ? 1 : 0;
      message.payload = RingDescriptor{static_cast<std::uint32_t>(value & kQueueMask), wanted == 1};
      break;
    }
    case Shape::log: {
      std::uint64_t const bytes = in.u64le();
      message.payload = LogArea{bytes, in.u64le()};
      wanted = 1;
      break;
    }
    case Shape::table: {
      MemoryTable const table = read_table(in);
      wanted = table.count;
      message.payload = table;
      break;
    }
  }
  if (!in.ok() || !in.at_end()) return stop_with(Fault::bad_payload);
  if (descriptors != wanted) return stop_with(Fault::bad_descriptors);
  return message;
}

Bytes make_reply(Request request, std::uint64_t value) {
  ByteWriter out = begin_reply(request, 8);
  out.u64le(value);
  return std::move(out).take();
}

Bytes make_reply(Request request, RingState const& state) {
  ByteWriter out = begin_reply(request, 8);
  out.u32le(state.queue).u32le(state.number);
  return std::move(out).take();
}

}  // namespace shamon::vhost_user
