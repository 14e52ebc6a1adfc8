#include "tunnel/socket_port.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel/packet_fixture.hpp"

namespace shamon {
namespace {

/// The only driver of a gate with one worker.
Result<std::unique_ptr<PortDriver>> open_one(gate::PortKind kind, UniqueFd descriptor) {
  std::vector<UniqueFd> descriptors;
  descriptors.push_back(std::move(descriptor));
  auto drivers = open_port(kind, std::move(descriptors), 1);
  if (!drivers) return pass(drivers);
  return std::move(drivers->front());
}

using Outcome = PortDriver::Outcome;

struct Pair {
  explicit Pair(int type) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
  UniqueFd ours, theirs;
};

Bytes framed(Bytes const& frame) {
  Bytes out(4);
  put_u32be(out.data(), static_cast<std::uint32_t>(frame.size()));
  append(out, frame);
  return out;
}

void write_all(UniqueFd const& fd, ByteView bytes) {
  ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
}

TEST(SocketPort, a_stream_gives_whole_frames_however_it_is_cut) {
  Bytes const first(60, 1), second(1514, 2), third(1, 3);
  Bytes all = framed(first);
  append(all, framed(second));
  append(all, framed(third));
  for (std::size_t piece : {1u, 2u, 3u, 5u, 63u, 64u, 65u, 1000u, 2000u}) {
    Pair pair(SOCK_STREAM);
    auto port = open_one(gate::PortKind::stream, std::move(pair.ours));
    ASSERT_TRUE(port.has_value());
    std::vector<Bytes> frames;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      write_all(pair.theirs, ByteView(all).subspan(at, std::min(piece, all.size() - at)));
      while (auto const frame = (*port)->receive({})) frames.push_back(to_bytes(frame->bytes));
    }
    EXPECT_EQ(frames, (std::vector<Bytes>{first, second, third})) << piece;
  }
}

TEST(SocketPort, a_stream_with_an_impossible_length_is_closed) {
  struct Row {
    std::uint32_t bytes;
    bool closed;
  };
  constexpr Row kRows[] = {{0, false},
                           {kMtuMax + kEthernetHeaderBytes, false},
                           {kMtuMax + kEthernetHeaderBytes + 1, true},
                           {0xffffffff, true}};
  for (Row const& row : kRows) {
    Pair pair(SOCK_STREAM);
    auto port = open_one(gate::PortKind::stream, std::move(pair.ours));
    ASSERT_TRUE(port.has_value());
    Bytes length(4);
    put_u32be(length.data(), row.bytes);
    write_all(pair.theirs, length);
    auto const frame = (*port)->receive({});
    EXPECT_EQ(!frame && frame.error() == Outcome::closed, row.closed) << row.bytes;
  }
}

TEST(SocketPort, a_full_stream_keeps_its_framing_and_drops_whole_frames) {
  Pair pair(SOCK_STREAM);
  auto port = open_one(gate::PortKind::stream, std::move(pair.ours));
  ASSERT_TRUE(port.has_value());
  std::size_t accepted = 0;
  for (int i = 0; i < 2000; ++i) {
    Bytes frame(1500, static_cast<std::uint8_t>(accepted));
    std::array<iovec, 2> parts{iovec{}, iovec{frame.data(), frame.size()}};
    if ((*port)->send({}, parts) == Outcome::done) ++accepted;
  }
  ASSERT_LT(accepted, 2000u) << "the socket never filled";
  Bytes received;
  std::array<std::uint8_t, 65536> buffer;
  for (;;) {
    ssize_t const got = ::recv(pair.theirs.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      append(received, ByteView(buffer).first(static_cast<std::size_t>(got)));
    } else if ((*port)->wants_write()) {
      (*port)->flush();
    } else {
      break;
    }
  }
  ASSERT_EQ(received.size(), accepted * 1504);
  for (std::size_t i = 0; i < accepted; ++i) {
    EXPECT_EQ(get_u32be(&received[i * 1504]), 1500u);
    EXPECT_EQ(received[i * 1504 + 4], static_cast<std::uint8_t>(i));
  }
}

TEST(SocketPort, the_end_of_the_other_side_is_noticed) {
  for (int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    Pair pair(type);
    auto const kind = type == SOCK_STREAM ? gate::PortKind::stream : gate::PortKind::datagram;
    auto port = open_one(kind, std::move(pair.ours));
    ASSERT_TRUE(port.has_value());
    std::vector<std::uint8_t> buffer(kPortBufferBytes);
    EXPECT_EQ((*port)->receive(buffer).error(), Outcome::busy);
    pair.theirs.reset();
    EXPECT_EQ((*port)->receive(buffer).error(), Outcome::closed);
  }
}

TEST(SocketPort, a_descriptor_of_another_kind_is_refused) {
  struct Row {
    char const* name;
    gate::PortKind kind;
    int type;  ///< -1: /dev/null
  };
  constexpr Row kRows[] = {
      {"stream as datagram", gate::PortKind::datagram, SOCK_STREAM},
      {"datagram as stream", gate::PortKind::stream, SOCK_DGRAM},
      {"socket as TAP", gate::PortKind::tap, SOCK_DGRAM},
      {"file as stream", gate::PortKind::stream, -1},
      {"file as TAP", gate::PortKind::tap, -1},
      {"no such kind", static_cast<gate::PortKind>(9), SOCK_DGRAM},
  };
  for (Row const& row : kRows) {
    UniqueFd fd;
    if (row.type < 0) {
      fd.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    } else {
      fd = std::move(Pair(row.type).ours);
    }
    EXPECT_FALSE(open_one(row.kind, std::move(fd)).has_value()) << row.name;
  }
  Pair pair(SOCK_DGRAM);
  EXPECT_TRUE(open_one(gate::PortKind::datagram, std::move(pair.ours)).has_value());
}

}  // namespace
}  // namespace shamon
