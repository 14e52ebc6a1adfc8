#include "net/http.hpp"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/channel.hpp"
#include "net/socket.hpp"
#include "net/test_peer.hpp"

namespace shamon {
namespace {

using std::chrono::milliseconds;
constexpr Duration kPatience = std::chrono::seconds(30);
constexpr Endpoint kAnyPort{Ipv4{0x7f000001}, 0};

HttpCall get(std::string target) {
  HttpCall call;
  call.target = std::move(target);
  return call;
}
HttpCall post(std::string target, std::string body) {
  HttpCall call = get(std::move(target));
  call.method = "POST";
  call.body = std::move(body);
  return call;
}

struct HttpTest : testing::Test {
  EventLoop loop;
  ServerLimits limits;
  std::unique_ptr<HttpServer> server;
  std::string path = testing::TempDir() + "shamon_http_test_" + std::to_string(::getpid());
  Endpoint at;
  std::optional<HttpRequest> last;
  std::shared_ptr<Responder> held;
  std::vector<std::shared_ptr<EventStream>> streams;

  ~HttpTest() override {
    streams.clear();
    held.reset();
    server.reset();
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the socket file is left behind";
  }
  void serve(std::shared_ptr<TlsContext const> tls = nullptr) {
    server = std::make_unique<HttpServer>(loop, limits);
    server->route("GET", "/v1/hosts/{name}", [this](HttpRequest const& request, auto responder) {
      last = request;
      responder->send({200, "text/plain", "host " + request.parameters.at("name")});
    });
    server->route("POST", "/v1/echo", [this](HttpRequest const& request, auto responder) {
      last = request;
      responder->send({200, request.headers.at("content-type"), request.body});
    });
    server->route("GET", "/v1/later",
                  [this](HttpRequest const&, auto responder) { held = responder; });
    server->route("GET", "/v1/forgotten", [](HttpRequest const&, auto) {});
    server->route("GET", "/v1/throws",
                  [](HttpRequest const&, auto) { throw std::runtime_error("oops"); });
    server->route("GET", "/v1/feed", [this](HttpRequest const& request, auto responder) {
      last = request;
      streams.push_back(responder->stream());
    });
    if (tls) {
      auto listening = server->listen_tls(kAnyPort, std::move(tls));
      ASSERT_TRUE(listening) << listening.error().describe();
      at = *listening;
    } else {
      Status const listening = server->listen_unix(path, 0600);
      ASSERT_TRUE(listening) << listening.error().describe();
    }
  }
  void serve_tls() { serve(test_authority().context(TlsRole::server, "server")); }
  HttpTarget tls_target() {
    return TlsTarget{at, test_authority().context(TlsRole::client, "client")};
  }
  HttpTarget unix_target() { return UnixTarget{path}; }
  bool wait(std::function<bool()> const& done) { return loop.run_until(done, kPatience); }

  /// Sends bytes as they are over the UNIX socket and gives what comes back until the end.
  std::string raw(std::string_view bytes, Duration patience = kPatience) {
    struct Peer final : ChannelEvents {
      std::string text;
      bool closed = false;
      void channel_data(ByteView plain) override { text += as_text(plain); }
      void channel_closed(Error) override { closed = true; }
    } peer;
    auto const channel = Channel::connecting(loop, start_connect(path), nullptr, peer);
    channel->send(bytes);
    loop.run_until([&] { return peer.closed; }, patience);
    channel->close();
    return peer.text;
  }
};

TEST_F(HttpTest, a_call_over_tls_brings_request_certificate_and_answer) {
  serve_tls();
  HttpClient client(loop, tls_target());
  auto const answer = client.call_and_wait(get("/v1/hosts/shype1?verbose=yes"));
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "host shype1");
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_EQ(last->query.at("verbose"), "yes");
  EXPECT_EQ(last->peer_certificate->common_name(), "client");
  EXPECT_FALSE(last->local_peer);
}

TEST_F(HttpTest, a_call_over_a_unix_socket_names_the_calling_process) {
  serve();
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  HttpClient client(loop, unix_target());
  ASSERT_TRUE(client.call_and_wait(get("/v1/hosts/a")));
  ASSERT_TRUE(last->local_peer);
  EXPECT_EQ(last->local_peer->pid, ::getpid());
  EXPECT_EQ(last->local_peer->uid, ::getuid());
  EXPECT_FALSE(last->peer_certificate);
}

TEST_F(HttpTest, many_calls_share_one_connection_in_order_and_big_bodies_pass) {
  serve_tls();
  HttpClient client(loop, tls_target());
  std::vector<std::string> answers;
  for (int i = 0; i < 50; ++i) {
    client.call(post("/v1/echo", "body " + std::to_string(i)),
                [&](Result<HttpResponse> answer) { answers.push_back(answer->body); });
  }
  ASSERT_TRUE(wait([&] { return answers.size() == 50; }));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(answers[i], "body " + std::to_string(i));
  EXPECT_EQ(server->connection_count(), 1u);
  std::string const big(5 << 20, 'x');
  auto const echoed = client.call_and_wait(post("/v1/echo", big));
  ASSERT_TRUE(echoed) << echoed.error().describe();
  EXPECT_TRUE(echoed->body == big);  // too long to print
  EXPECT_EQ(server->connection_count(), 1u);
}

/// Bytes in use on the heap; under the sanitizers always 0.
std::size_t heap_bytes() {
  struct mallinfo2 const heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

TEST_F(HttpTest, connections_that_wait_keep_nothing_of_large_requests_and_answers) {
  serve_tls();
  std::vector<std::unique_ptr<HttpClient>> clients;
  auto const exchange_all = [&](std::size_t bytes) {
    for (auto const& client : clients) {
      auto const answer = client->call_and_wait(post("/v1/echo", std::string(bytes, 'x')));
      ASSERT_TRUE(answer) << answer.error().describe();
      EXPECT_EQ(answer->body.size(), bytes);
    }
    last.reset();
  };
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<HttpClient>(loop, tls_target()));
  exchange_all(1);
  std::size_t const before = heap_bytes();
  exchange_all(1u << 20);
  EXPECT_LT(heap_bytes(), before + (1u << 20));
}

TEST_F(HttpTest, a_client_at_rest_has_no_connection_until_its_next_call) {
  serve_tls();
  HttpClient client(loop, tls_target());
  ASSERT_TRUE(client.call_and_wait(get("/v1/hosts/a")));
  client.rest();
  EXPECT_TRUE(wait([&] { return server->connection_count() == 0; }));
  bool answered = false;
  client.call(get("/v1/hosts/b"), [&](Result<HttpResponse> answer) { answered = !!answer; });
  client.rest();  // not while a call is on it
  EXPECT_TRUE(wait([&] { return answered; }));
}

TEST_F(HttpTest, answers_of_error_have_their_status) {
  serve();
  HttpClient client(loop, unix_target());
  struct Row {
    HttpCall call;
    int status;
  };
  HttpCall wrong_method = get("/v1/hosts/a");
  wrong_method.method = "DELETE";
  Row const rows[] = {{get("/v1/nothing"), 404},     {wrong_method, 405},
                      {get("/v1/forgotten"), 500},   {get("/v1/throws"), 500},
                      {get("/v1/hosts/a%2Fb"), 400}, {get("/v1/hosts/b"), 200}};
  for (Row const& row : rows) {
    auto const answer = client.call_and_wait(row.call);
    ASSERT_TRUE(answer) << row.call.target << answer.error().describe();
    EXPECT_EQ(answer->status, row.status) << row.call.target;
  }
}

TEST_F(HttpTest, an_answer_may_come_later_and_a_late_one_times_out_without_harm) {
  serve();
  HttpClient client(loop, unix_target());
  std::optional<Result<HttpResponse>> answer;
  client.call(get("/v1/later"), [&](auto result) { answer = std::move(result); });
  ASSERT_TRUE(wait([&] { return held != nullptr; }));
  EXPECT_FALSE(answer);
  held->send({202, "text/plain", "now"});
  held->send({500, "text/plain", "a second answer is ignored"});
  ASSERT_TRUE(wait([&] { return answer.has_value(); }));
  EXPECT_EQ((*answer)->status, 202);

  HttpCall hasty = get("/v1/later");
  hasty.timeout = milliseconds(30);
  EXPECT_EQ(client.call_and_wait(hasty).error().code, Errc::timeout);
  held->send({200, "text/plain", "too late"});
  EXPECT_EQ(client.call_and_wait(get("/v1/hosts/b"))->body, "host b");
}

TEST_F(HttpTest, the_client_connects_again_after_the_server_was_restarted) {
  serve();
  HttpClient client(loop, unix_target());
  ASSERT_TRUE(client.call_and_wait(get("/v1/hosts/a")));
  server.reset();
  EXPECT_EQ(client.call_and_wait(get("/v1/hosts/a")).error().code, Errc::unreachable);
  serve();
  EXPECT_EQ(client.call_and_wait(get("/v1/hosts/b"))->body, "host b");
}

TEST_F(HttpTest, bodies_over_the_bound_get_413_and_the_sender_hears_it) {
  limits.body_bytes_max = 1000;
  serve();
  HttpClient client(loop, unix_target());
  EXPECT_EQ(client.call_and_wait(post("/v1/echo", std::string(1000, 'x')))->status, 200);
  EXPECT_EQ(client.call_and_wait(post("/v1/echo", std::string(1001, 'x')))->status, 413);
  EXPECT_EQ(client.call_and_wait(post("/v1/echo", std::string(3 << 20, 'x')))->status, 413);
  EXPECT_EQ(client.call_and_wait(get("/v1/hosts/b"))->status, 200);
}

TEST_F(HttpTest, raw_bytes_are_answered_as_the_protocol_says) {
  limits.idle_max = milliseconds(200);
  serve();
  struct Row {
    char const* name;
    std::string_view sent;
    std::vector<std::string_view> expected;  ///< in this order
  };
  Row const rows[] = {
      {"pipelined",
       "GET /v1/hosts/a HTTP/1.1\r\n\r\nGET /v1/hosts/b HTTP/1.1\r\nConnection: close\r\n\r\n",
       {"200 OK", "host a", "200 OK", "Connection: close", "host b"}},
      {"old version",
       "GET /v1/hosts/a HTTP/1.0\r\n\r\n",
       {"200 OK", "Connection: close", "host a"}},
      {"nonsense", "hello\r\n\r\n", {"400 Bad Request", "Connection: close"}},
      {"expects continue",
       "POST /v1/echo HTTP/1.1\r\nContent-Type: t\r\nExpect: 100-continue\r\nContent-Length: "
       "1\r\n\r\n",
       {"100 Continue"}},
      {"slow request", "GET /v1/hosts/a HT", {}},
  };
  for (Row const& row : rows) {
    Instant const start = loop.now();
    std::string const text = raw(row.sent);
    std::size_t from = 0;
    for (std::string_view part : row.expected) {
      std::size_t const found = text.find(part, from);
      ASSERT_NE(found, std::string::npos) << row.name << ": no \"" << part << "\" in: " << text;
      from = found + part.size();
    }
    EXPECT_LT(loop.now() - start, std::chrono::seconds(20)) << row.name << " was not closed";
  }
}

TEST_F(HttpTest, wrong_certificates_are_refused_on_either_side) {
  serve_tls();
  TestAuthority const strange;
  HttpClient stranger(loop,
                      TlsTarget{at, strange.context(TlsRole::client, "x", &test_authority())});
  EXPECT_EQ(stranger.call_and_wait(get("/v1/hosts/a")).error().code, Errc::untrusted);
  HttpClient anonymous(loop, TlsTarget{at, test_authority().context(TlsRole::client, "")});
  EXPECT_EQ(anonymous.call_and_wait(get("/v1/hosts/a")).error().code, Errc::untrusted);
  HttpClient doubter(loop, TlsTarget{at, test_authority().context(TlsRole::client, "x", &strange)});
  EXPECT_EQ(doubter.call_and_wait(get("/v1/hosts/a")).error().code, Errc::untrusted);
  EXPECT_FALSE(last);
  server->set_tls(strange.context(TlsRole::server, "server", &test_authority()));
  HttpClient after_renewal(loop, tls_target());
  EXPECT_EQ(after_renewal.call_and_wait(get("/v1/hosts/a")).error().code, Errc::untrusted);
}

TEST_F(HttpTest, connections_over_the_limit_and_idle_ones_are_closed) {
  limits.connections_max = 2;
  limits.idle_max = milliseconds(1500);  // long enough for the calls on a busy machine
  serve();
  std::vector<std::unique_ptr<HttpClient>> clients;
  std::vector<bool> answered;
  for (int i = 0; i < 3; ++i) clients.push_back(std::make_unique<HttpClient>(loop, unix_target()));
  EXPECT_TRUE(clients[0]->call_and_wait(get("/v1/hosts/a")));
  EXPECT_TRUE(clients[1]->call_and_wait(get("/v1/hosts/a")));
  EXPECT_FALSE(clients[2]->call_and_wait(get("/v1/hosts/a")));
  EXPECT_EQ(server->connection_count(), 2u);
  EXPECT_TRUE(wait([&] { return server->connection_count() == 0; }));
  EXPECT_TRUE(clients[2]->call_and_wait(get("/v1/hosts/a")));
}

struct Listening {
  std::vector<ServerSentEvent> events;
  std::vector<Error> ended;
  std::shared_ptr<void> handle;
};

TEST_F(HttpTest, a_stream_carries_events_and_resumes_after_the_last_id) {
  serve_tls();
  HttpClient client(loop, tls_target());
  Listening one;
  auto listen = [&](HttpCall call) {
    one.handle = client.stream(
        std::move(call), [&](auto const& event) { one.events.push_back(event); },
        [&](Error why) { one.ended.push_back(std::move(why)); });
  };
  listen(get("/v1/feed"));
  ASSERT_TRUE(wait([&] { return streams.size() == 1; }));
  int closed = 0;
  streams[0]->on_close([&] { ++closed; });
  EXPECT_TRUE(streams[0]->send({"41", "revision", "{}"}));
  EXPECT_TRUE(streams[0]->send({"42", "revision", std::string(200'000, 'x')}));
  ASSERT_TRUE(wait([&] { return one.events.size() == 2; }));
  EXPECT_EQ(one.events[1].data.size(), 200'000u);
  streams[0]->close();
  ASSERT_TRUE(wait([&] { return one.ended.size() == 1 && closed == 1; }));
  EXPECT_FALSE(streams[0]->send({"43", "", ""}));
  EXPECT_FALSE(streams[0]->open());

  HttpCall again = get("/v1/feed");
  again.headers["Last-Event-ID"] = one.events.back().id;
  listen(again);
  ASSERT_TRUE(wait([&] { return streams.size() == 2; }));
  EXPECT_EQ(last->headers.at("last-event-id"), "42");
  streams[1]->on_close([&] { ++closed; });
  one.handle.reset();
  EXPECT_TRUE(wait([&] { return closed == 2; }));
  EXPECT_EQ(one.ended.size(), 1u);
}

TEST_F(HttpTest, a_feed_that_is_followed_carries_calls_and_events_on_one_connection) {
  serve_tls();
  HttpClient client(loop, tls_target());
  Listening one;
  one.handle = client.follow(
      get("/v1/feed?from=7"), [&](auto const& event) { one.events.push_back(event); },
      [&](Error why) { one.ended.push_back(std::move(why)); });
  std::vector<std::string> answers;
  auto const take = [&](Result<HttpResponse> answer) {
    ASSERT_TRUE(answer) << answer.error().describe();
    answers.push_back(std::to_string(answer->status) + " " + answer->body);
  };
  client.call(get("/v1/hosts/early"), take);  // before the server agreed
  ASSERT_TRUE(wait([&] { return streams.size() == 1 && answers.size() == 1; }));
  std::string const large(1u << 20, 'x');
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(streams[0]->send({std::to_string(i), "change", "event"}));
    client.call(post("/v1/echo", large), take);
    client.call(get("/v1/nothing"), take);
  }
  ASSERT_TRUE(wait([&] { return answers.size() == 7 && one.events.size() == 3; }));
  EXPECT_EQ(answers[0], "200 host early");
  EXPECT_EQ(answers[5], "200 " + large);
  EXPECT_EQ(answers[6], "404 no such path");
  EXPECT_EQ(last->peer_certificate->common_name(), "client");
  EXPECT_EQ(one.events[2].name, "change");
  EXPECT_EQ(server->connection_count(), 1u);
  client.rest();  // not while a feed is on it
  EXPECT_TRUE(streams[0]->send({"9", "change", "last"}));
  EXPECT_TRUE(wait([&] { return one.events.size() == 4; }));
  EXPECT_TRUE(one.ended.empty());
}

TEST_F(HttpTest, a_client_that_turns_elsewhere_takes_what_waits_along_and_leaves_its_feed) {
  serve_tls();
  HttpClient client(loop, tls_target());
  Listening one;
  auto const follow = [&] {
    return client.follow(
        get("/v1/feed"), [&](auto const& event) { one.events.push_back(event); },
        [&](Error why) { one.ended.push_back(std::move(why)); });
  };
  one.handle = follow();
  ASSERT_TRUE(wait([&] { return streams.size() == 1; }));
  std::optional<Result<HttpResponse>> under_way, waiting;
  client.call(get("/v1/later"), [&](Result<HttpResponse> got) { under_way = std::move(got); });
  client.call(get("/v1/hosts/b"), [&](Result<HttpResponse> got) { waiting = std::move(got); });
  ASSERT_TRUE(wait([&] { return held != nullptr; }));
  client.turn_to(tls_target());
  ASSERT_TRUE(under_way);
  EXPECT_FALSE(*under_way);
  one.handle = follow();
  ASSERT_TRUE(wait([&] { return waiting && streams.size() == 2; }));
  EXPECT_EQ((*waiting)->body, "host b");
  EXPECT_TRUE(wait([&] { return server->connection_count() == 1; }));
  EXPECT_TRUE(streams[1]->send({"1", "change", "event"}));
  EXPECT_TRUE(wait([&] { return one.events.size() == 1; }));
  EXPECT_TRUE(one.ended.empty());
}

TEST_F(HttpTest, when_a_feed_ends_its_call_fails_and_later_ones_have_a_connection_of_their_own) {
  serve();
  HttpClient client(loop, unix_target());
  Listening one;
  auto const follow = [&](HttpCall call) {
    one = {};
    one.handle = client.follow(
        std::move(call), [&](auto const& event) { one.events.push_back(event); },
        [&](Error why) { one.ended.push_back(std::move(why)); });
  };
  follow(get("/v1/feed"));
  ASSERT_TRUE(wait([&] { return streams.size() == 1; }));
  std::optional<Result<HttpResponse>> answer;
  client.call(get("/v1/later"), [&](Result<HttpResponse> got) { answer = std::move(got); });
  ASSERT_TRUE(wait([&] { return held != nullptr; }));
  streams[0]->close();
  ASSERT_TRUE(wait([&] { return answer && one.ended.size() == 1; }));
  EXPECT_FALSE(*answer);
  EXPECT_TRUE(client.call_and_wait(get("/v1/hosts/a")));

  follow(get("/v1/nothing"));
  ASSERT_TRUE(wait([&] { return one.ended.size() == 1; }));
  EXPECT_EQ(one.ended[0].code, Errc::not_found);

  follow(get("/v1/feed"));
  ASSERT_TRUE(wait([&] { return streams.size() == 2; }));
  bool closed = false;
  streams[1]->on_close([&] { closed = true; });
  one.handle.reset();  // and nobody is told
  ASSERT_TRUE(wait([&] { return closed; }));
  EXPECT_TRUE(one.ended.empty());
  EXPECT_TRUE(client.call_and_wait(get("/v1/hosts/a")));

  HttpCall impatient = get("/v1/later");
  impatient.timeout = milliseconds(30);
  follow(get("/v1/feed"));
  ASSERT_TRUE(wait([&] { return streams.size() == 3; }));
  EXPECT_EQ(client.call_and_wait(impatient).error().code, Errc::timeout);
  held->send({200, "text/plain", "too late"});
  auto const next = client.call_and_wait(get("/v1/hosts/next"));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->body, "host next");
  EXPECT_TRUE(one.ended.empty());
}

TEST_F(HttpTest, a_followed_feed_takes_requests_in_turn_and_ends_at_what_is_none) {
  serve();
  std::string const upgrade =
      "GET /v1/feed HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: shamon-feed\r\n\r\n";
  std::string const text = raw(upgrade + "GET /v1/hosts/a HTTP/1.1\r\n\r\n" + upgrade +
                               "GET /v1/hosts/b HTTP/1.1\r\n\r\nnonsense\r\n\r\n");
  EXPECT_EQ(text,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
            "shamon-feed\r\n\r\nevent: answer\ndata: 200 host a\n\nevent: answer\ndata: 409 one "
            "stream\n\nevent: answer\ndata: 200 host b\n\n");
}

TEST_F(HttpTest, a_client_that_does_not_read_is_cut_off_at_the_backlog_limit) {
  limits.backlog_bytes_max = 1 << 20;
  serve();
  UniqueFd const silent = *start_connect(path);
  std::string_view const ask = "GET /v1/feed HTTP/1.1\r\n\r\n";
  ASSERT_TRUE(wait([&] { return server->connection_count() == 1; }));
  ASSERT_EQ(::send(silent.get(), ask.data(), ask.size(), 0), static_cast<ssize_t>(ask.size()));
  ASSERT_TRUE(wait([&] { return streams.size() == 1; }));
  bool closed = false;
  streams[0]->on_close([&] { closed = true; });
  int sent = 0;
  while (sent < 1000 && streams[0]->send({"", "", std::string(64 << 10, 'x')})) ++sent;
  EXPECT_GT(sent, 15);
  EXPECT_LT(sent, 100);
  EXPECT_FALSE(closed);  // not from inside send()
  EXPECT_TRUE(wait([&] { return closed && server->connection_count() == 0; }));
}

TEST_F(HttpTest, a_refused_or_impossible_stream_ends_once_with_the_reason) {
  serve();
  HttpClient client(loop, unix_target());
  struct Row {
    HttpCall call;
    Errc code;
  };
  HttpCall impatient = get("/v1/later");
  impatient.timeout = milliseconds(30);
  Row const rows[] = {{get("/v1/nothing"), Errc::not_found},
                      {get("/v1/hosts/a"), Errc::malformed},
                      {get("bad target"), Errc::invalid},
                      {impatient, Errc::timeout}};
  for (Row const& row : rows) {
    Listening one;
    one.handle = client.stream(
        row.call, [&](auto const& event) { one.events.push_back(event); },
        [&](Error why) { one.ended.push_back(std::move(why)); });
    ASSERT_TRUE(wait([&] { return !one.ended.empty(); })) << row.call.target;
    EXPECT_EQ(one.ended[0].code, row.code) << one.ended[0].describe();
    loop.run_until([] { return false; }, milliseconds(5));
    EXPECT_EQ(one.ended.size(), 1u);
    EXPECT_TRUE(one.events.empty());
  }
}

TEST_F(HttpTest, client_and_server_may_go_from_inside_their_own_callbacks) {
  serve();
  auto client = std::make_unique<HttpClient>(loop, unix_target());
  bool answered = false;
  client->call(get("/v1/hosts/a"), [&](Result<HttpResponse>) {
    client.reset();
    answered = true;
  });
  ASSERT_TRUE(wait([&] { return answered; }));

  server->route("GET", "/v1/die", [this](HttpRequest const&, auto) { server.reset(); });
  HttpClient other(loop, unix_target());
  EXPECT_EQ(other.call_and_wait(get("/v1/die")).error().code, Errc::unreachable);

  serve();
  Listening one;
  HttpClient listener(loop, unix_target());
  one.handle = listener.stream(
      get("/v1/feed"),
      [&](auto const& event) {
        one.events.push_back(event);
        one.handle.reset();
      },
      [&](Error why) { one.ended.push_back(std::move(why)); });
  ASSERT_TRUE(wait([&] { return streams.size() == 1; }));
  streams[0]->send({"1", "", "a"});
  streams[0]->send({"2", "", "b"});
  loop.run_until([] { return false; }, milliseconds(20));
  EXPECT_EQ(one.events.size(), 1u);
  EXPECT_TRUE(one.ended.empty());

  client = std::make_unique<HttpClient>(loop, unix_target());
  one.events.clear();
  one.handle = client->follow(
      get("/v1/feed"),
      [&](auto const& event) {
        one.events.push_back(event);
        client.reset();
      },
      [&](Error why) { one.ended.push_back(std::move(why)); });
  ASSERT_TRUE(wait([&] { return streams.size() == 2; }));
  streams[1]->send({"1", "", "a"});
  streams[1]->send({"2", "", "b"});
  loop.run_until([] { return false; }, milliseconds(20));
  EXPECT_EQ(one.events.size(), 1u);
  EXPECT_TRUE(one.ended.empty());
}

}  // namespace
}  // namespace shamon
