#include "net/tls_stream.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/byte_writer.hpp"
#include "base/socket_address.hpp"
#include "net/channel.hpp"
#include "net/limits.hpp"
#include "net/socket.hpp"
#include "net/test_peer.hpp"

namespace shamon {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);
constexpr Endpoint kAnyPort{Ipv4{0x7f000001}, 0};

/// One end and all that happened to it.
struct End {
  std::shared_ptr<FrameConnection> frames;
  bool ready = false;
  std::vector<Bytes> received;
  std::vector<Error> closed;

  void hold(std::shared_ptr<FrameConnection> connection) {
    frames = std::move(connection);
    frames->set_handlers({[this] { ready = true; },
                          [this](ByteView frame) { received.push_back(to_bytes(frame)); },
                          [this](Error why) { closed.push_back(std::move(why)); }});
  }
};

struct FrameTest : testing::Test {
  EventLoop loop;
  End server, client;
  std::vector<std::pair<Endpoint, Error>> refused;
  std::unique_ptr<FrameListener> listener;

  void listen(std::shared_ptr<TlsContext const> tls) {
    auto made = listen_frames(
        loop, kAnyPort, std::move(tls),
        {.on_ready =
             [this](auto connection) {
               server.hold(std::move(connection));
               server.ready = true;
             },
         .on_refused = [this](Endpoint from,
                              Error why) { refused.emplace_back(from, std::move(why)); },
         .is_known = [](IpAddress const& from) { return from == kAnyPort.address; }});
    ASSERT_TRUE(made) << made.error().describe();
    listener = std::move(*made);
  }
  void connect(std::shared_ptr<TlsContext const> tls) {
    client.hold(connect_frames(loop, listener->local(), std::move(tls)));
  }
  bool wait(std::function<bool()> const& done) { return loop.run_until(done, kPatience); }
  void connect_both() {
    listen(test_authority().context(TlsRole::server, "server"));
    connect(test_authority().context(TlsRole::client, "client"));
    ASSERT_TRUE(wait([&] { return client.ready && server.ready; }));
  }
};

TEST_F(FrameTest, frames_of_every_size_arrive_whole_and_in_order) {
  connect_both();
  std::vector<Bytes> sent;
  for (std::size_t size : {0, 1, 3, 4, 5, 70'000, 8 << 20, 2}) sent.push_back(random_bytes(size));
  ASSERT_EQ(sent[6].size(), kTlsFrameBytesMax);
  for (Bytes const& frame : sent) {
    client.frames->send(frame);
    server.frames->send(frame);
  }
  ASSERT_TRUE(wait([&] { return server.received.size() == 8 && client.received.size() == 8; }));
  EXPECT_TRUE(server.received == sent);  // too long to print
  EXPECT_TRUE(client.received == sent);
  EXPECT_EQ(server.frames->tls().peer_certificate()->common_name(), "client");
  EXPECT_EQ(client.frames->peer(), listener->local());
  EXPECT_EQ(server.frames->peer().address, kAnyPort.address);
  EXPECT_EQ(*client.frames->tls().export_keying_material("l", as_bytes("c"), 32),
            *server.frames->tls().export_keying_material("l", as_bytes("c"), 32));
}

TEST_F(FrameTest, what_was_sent_before_letting_go_still_arrives_then_the_peer_hears_of_the_end) {
  connect_both();
  Bytes const last = random_bytes(1 << 20);
  client.frames->send(last);
  client.frames.reset();
  ASSERT_TRUE(wait([&] { return !server.closed.empty(); }));
  ASSERT_EQ(server.received.size(), 1u);
  EXPECT_TRUE(server.received[0] == last);
  EXPECT_EQ(server.closed[0].code, Errc::unreachable);
  EXPECT_TRUE(client.closed.empty());
}

TEST_F(FrameTest, a_frame_over_the_bound_ends_the_sender) {
  connect_both();
  client.frames->send(Bytes(kTlsFrameBytesMax + 1));
  ASSERT_TRUE(wait([&] { return !client.closed.empty() && !server.closed.empty(); }));
  EXPECT_EQ(client.closed[0].code, Errc::too_large);
  EXPECT_EQ(client.closed.size(), 1u);
}

TEST_F(FrameTest, a_length_over_the_bound_ends_the_receiver_before_anything_is_kept) {
  listen(test_authority().context(TlsRole::server, "server"));
  struct Raw final : ChannelEvents {
    bool ready = false, closed = false;
    void channel_ready() override { ready = true; }
    void channel_data(ByteView) override {}
    void channel_closed(Error) override { closed = true; }
  } raw;
  auto const channel =
      Channel::connecting(loop, start_connect(listener->local()),
                          test_authority().context(TlsRole::client, "client"), raw);
  ASSERT_TRUE(wait([&] { return raw.ready && server.ready; }));
  channel->send(ByteWriter().u32be(kTlsFrameBytesMax + 1).view());
  ASSERT_TRUE(wait([&] { return !server.closed.empty() && raw.closed; }));
  EXPECT_EQ(server.closed[0].code, Errc::too_large);
  channel->close();
}

TEST_F(FrameTest, strangers_are_refused_on_either_side) {
  TestAuthority const strange;
  listen(test_authority().context(TlsRole::server, "server"));
  // A client of another authority that would believe us: we must not believe it.
  connect(strange.context(TlsRole::client, "client", &test_authority()));
  ASSERT_TRUE(wait([&] { return !refused.empty() && !client.closed.empty(); }));
  EXPECT_EQ(refused[0].second.code, Errc::untrusted) << refused[0].second.describe();
  EXPECT_EQ(refused[0].first.address, kAnyPort.address);
  EXPECT_EQ(client.closed[0].code, Errc::untrusted) << client.closed[0].describe();
  EXPECT_FALSE(server.ready);

  client = {};
  listener->set_tls(strange.context(TlsRole::server, "server"));
  connect(test_authority().context(TlsRole::client, "client"));
  ASSERT_TRUE(wait([&] { return refused.size() == 2 && !client.closed.empty(); }));
  EXPECT_EQ(client.closed[0].code, Errc::untrusted);
  EXPECT_FALSE(client.ready || server.ready);
}

TEST_F(FrameTest, strangers_that_hold_every_handshake_of_theirs_keep_nobody_out_who_is_known) {
  listen(test_authority().context(TlsRole::server, "server"));
  Endpoint const strange{Ipv4{0x7f000003}, 0};
  constexpr std::size_t kMore = 10;
  std::vector<UniqueFd> silent;
  for (std::size_t i = 0; i < kHandshakesRunningMax + kMore; ++i) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SocketAddress const from(strange), to(listener->local());
    ASSERT_EQ(::bind(fd.get(), from.get(), from.size), 0);
    ASSERT_EQ(::connect(fd.get(), to.get(), to.size), 0);
    silent.push_back(std::move(fd));
  }
  ASSERT_TRUE(wait([&] { return refused.size() >= kMore; }));
  EXPECT_EQ(refused.back().second.code, Errc::denied);
  EXPECT_EQ(refused.back().first.address, strange.address);
  connect(test_authority().context(TlsRole::client, "client"));
  ASSERT_TRUE(wait([&] { return client.ready && server.ready; }));
  EXPECT_EQ(refused.size(), kMore);
  silent.clear();
  ASSERT_TRUE(wait([&] { return refused.size() == kHandshakesRunningMax + kMore; }));
}

TEST_F(FrameTest, an_absent_or_silent_server_is_an_error_not_a_hang) {
  UniqueFd const silent = *listen_tcp(kAnyPort);
  Endpoint const at = *local_endpoint(silent.get());
  auto const tls = test_authority().context(TlsRole::client, "client");
  client.hold(connect_frames(loop, at, tls, std::chrono::milliseconds(50)));
  ASSERT_TRUE(wait([&] { return !client.closed.empty(); }));
  EXPECT_EQ(client.closed[0].code, Errc::timeout);

  client = {};
  listen(test_authority().context(TlsRole::server, "server"));
  Endpoint const gone = listener->local();
  listener.reset();
  client.hold(connect_frames(loop, gone, tls));
  EXPECT_FALSE(client.frames->tls().handshake_done());
  EXPECT_TRUE(client.closed.empty());  // told later, never from inside the call
  ASSERT_TRUE(wait([&] { return !client.closed.empty(); }));
  EXPECT_EQ(client.closed[0].code, Errc::unreachable);
}

}  // namespace
}  // namespace shamon
