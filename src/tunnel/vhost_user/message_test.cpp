#include "tunnel/vhost_user/message.hpp"

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"

namespace shamon::vhost_user {
namespace {

Bytes header(std::uint32_t request, std::uint32_t flags, std::uint32_t bytes) {
  ByteWriter out;
  out.u32le(request).u32le(flags).u32le(bytes);
  return std::move(out).take();
}

TEST(VhostUserMessage, a_header_is_taken_only_as_the_protocol_has_it) {
  struct Row {
    char const* name;
    Bytes bytes;
    Fault fault;
  };
  Row const rows[] = {
      {"get_features", header(1, 1, 0), Fault::none},
      {"asks for a reply", header(1, 9, 0), Fault::none},
      {"version 0", header(1, 0, 0), Fault::bad_header},
      {"version 2", header(1, 2, 0), Fault::bad_header},
      {"a reply", header(1, 5, 0), Fault::bad_header},
      {"unknown flag", header(1, 17, 0), Fault::bad_header},
      {"truncated", Bytes(11), Fault::bad_header},
      {"request 0", header(0, 1, 0), Fault::unknown_request},
      {"not offered", header(21, 1, 0), Fault::unknown_request},
      {"highest", header(UINT32_MAX, 1, 0), Fault::unknown_request},
      {"payload of none", header(1, 1, 8), Fault::bad_payload},
      {"number too short", header(2, 1, 7), Fault::bad_payload},
      {"addresses", header(9, 1, 40), Fault::none},
      {"addresses too long", header(9, 1, 41), Fault::bad_payload},
      {"one region", header(5, 1, 40), Fault::none},
      {"no region", header(5, 1, 8), Fault::bad_payload},
      {"eight regions", header(5, 1, 8 + 8 * 32), Fault::none},
      {"nine regions", header(5, 1, 8 + 9 * 32), Fault::bad_payload},
      {"half a region", header(5, 1, 56), Fault::bad_payload},
      {"huge", header(5, 1, UINT32_MAX), Fault::bad_payload},
  };
  for (Row const& row : rows) {
    auto const parsed = parse_header(row.bytes);
    EXPECT_EQ(parsed ? Fault::none : parsed.error(), row.fault) << row.name;
  }
}

TEST(VhostUserMessage, a_payload_and_its_descriptors_must_agree) {
  auto words = [](std::initializer_list<std::uint64_t> values) {
    ByteWriter out;
    for (std::uint64_t value : values) out.u64le(value);
    return std::move(out).take();
  };
  struct Row {
    char const* name;
    std::uint32_t request;
    Bytes payload;
    std::size_t descriptors;
    Fault fault;
  };
  Row const rows[] = {
      {"kick", 12, words({3}), 1, Fault::none},
      {"kick without", 12, words({3}), 0, Fault::bad_descriptors},
      {"no call", 13, words({0x103}), 0, Fault::none},
      {"no call, but one", 13, words({0x103}), 1, Fault::bad_descriptors},
      {"call with more bits", 13, words({0x203}), 1, Fault::bad_payload},
      {"features with a descriptor", 2, words({1}), 1, Fault::bad_descriptors},
      {"log", 6, words({4096, 0}), 1, Fault::none},
      {"log without", 6, words({4096, 0}), 0, Fault::bad_descriptors},
      {"table", 5, words({1, 0, 4096, 0, 0}), 1, Fault::none},
      {"table that says two", 5, words({2, 0, 4096, 0, 0}), 2, Fault::bad_payload},
      {"table that says none", 5, words({0, 0, 4096, 0, 0}), 0, Fault::bad_payload},
      {"table that says many", 5, words({UINT32_MAX, 0, 4096, 0, 0}), 1, Fault::bad_payload},
      {"table without", 5, words({1, 0, 4096, 0, 0}), 0, Fault::bad_descriptors},
  };
  for (Row const& row : rows) {
    auto const parsed =
        parse_header(header(row.request, 1, static_cast<std::uint32_t>(row.payload.size())));
    ASSERT_TRUE(parsed.has_value()) << row.name;
    auto const message = parse_message(*parsed, row.payload, row.descriptors);
    EXPECT_EQ(message ? Fault::none : message.error(), row.fault) << row.name;
  }
}

TEST(VhostUserMessage, values_arrive_where_they_belong) {
  Header const head{Request::set_vring_addr, false, 40};
  ByteWriter out;
  out.u32le(1).u32le(0).u64le(0x10).u64le(0x20).u64le(0x30).u64le(0x40);
  auto const message = parse_message(head, out.view(), 0);
  ASSERT_TRUE(message.has_value());
  auto const& addresses = std::get<RingAddresses>(message->payload);
  EXPECT_EQ(addresses.queue, 1u);
  EXPECT_EQ(addresses.descriptors, 0x10u);
  EXPECT_EQ(addresses.device, 0x20u);
  EXPECT_EQ(addresses.driver, 0x30u);
  Bytes const reply = make_reply(Request::get_vring_base, RingState{2, 7});
  EXPECT_EQ(reply, (Bytes{11, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0}));
}

}  // namespace
}  // namespace shamon::vhost_user
