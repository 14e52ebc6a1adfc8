#include <charconv>
#include <deque>

#include "base/ipv4_text.hpp"
#include "net/channel.hpp"
#include "net/http.hpp"
#include "net/http_parser.hpp"
#include "net/http_text.hpp"
#include "net/limits.hpp"
#include "net/server_sent_events.hpp"
#include "net/socket.hpp"

namespace shamon {
namespace {

constexpr int kSwitchingProtocols = 101;
constexpr HttpParser::Bounds kResponseBounds{kClientHeaderBytesMax, kClientBodyBytesMax};

std::shared_ptr<Channel> open_channel(EventLoop& loop, HttpTarget const& target,
                                      ChannelEvents& events) {
  if (auto const* tls = std::get_if<TlsTarget>(&target)) {
    if (!tls->tls) {
      return Channel::connecting(loop, fail(Errc::invalid, "no TLS context"), nullptr, events);
    }
    return Channel::connecting(loop, start_connect(tls->endpoint), tls->tls, events);
  }
  return Channel::connecting(loop, start_connect(std::get<UnixTarget>(target).path), nullptr,
                             events);
}

std::string host_of(HttpTarget const& target) {
  auto const* tls = std::get_if<TlsTarget>(&target);
  return tls != nullptr ? to_string(tls->endpoint) : "localhost";
}

/// May be sent twice without harm (RFC 9110 §9.2.2).
bool is_idempotent(std::string const& method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

}  // namespace

struct HttpClient::State final : ChannelEvents, std::enable_shared_from_this<HttpClient::State> {
  struct Waiting {
    std::uint64_t number;
    std::string method;
    std::string text;
    Done done;
    EventLoop::TimerId timer;
    bool retried = false;
    bool upgrades = false;  ///< to the feed protocol, if the server agrees
  };
  /// What is followed on this connection.
  struct Feed {
    std::function<void(ServerSentEvent const&)> on_event;
    std::function<void(Error)> on_end;
    EventParser parser;
    bool open = false;        ///< the server agreed
    std::size_t unheard = 0;  ///< answers to come for which nobody waits any more
  };

  EventLoop& loop;
  HttpTarget target;
  std::deque<Waiting> queue;  ///< the front is in flight if in_flight
  std::shared_ptr<Channel> channel;
  std::unique_ptr<HttpParser> parser;
  std::shared_ptr<Feed> feed;
  std::uint64_t next_number = 1;
  bool in_flight = false;
  bool reused = false;  ///< the connection has answered before

  State(EventLoop& on_loop, HttpTarget to) : loop(on_loop), target(std::move(to)) {}

  void disconnect() {
    if (channel) channel->close();
    channel.reset();
    parser.reset();
    in_flight = false;
    reused = false;
  }

  void start_next() {
    if (in_flight || queue.empty()) return;
    if (!channel) channel = open_channel(loop, target, *this);
    if (!channel->ready()) return;
    in_flight = true;
    if (feed && feed->open) return channel->send(queue.front().text);
    parser = std::make_unique<HttpParser>(HttpParser::Kind::response, kResponseBounds);
    if (queue.front().method == "HEAD") parser->expect_no_body();
    channel->send(queue.front().text);
  }

  /// Takes the front off the queue and answers it; the caller goes on with the next.
  void finish_front(Result<HttpResponse> result) {
    Waiting const front = std::move(queue.front());
    queue.pop_front();
    in_flight = false;
    loop.cancel(front.timer);
    front.done(std::move(result));
  }

  void channel_ready() override {
    auto const self = shared_from_this();
    start_next();
  }

  void channel_data(ByteView plain) override {
    auto const self = shared_from_this();
    if (feed && feed->open) return take_events(as_text(plain));
    if (!in_flight) return lose(Error{Errc::malformed, "HTTP: an answer nobody asked for", {}});
    if (auto status = parser->feed(plain); !status) return lose(status.error());
    while (in_flight && parser->done()) {
      int const status = parser->status();
      if (status == kSwitchingProtocols) return begin_feed();
      if (status >= 100 && status < 200) {  // an interim answer; the real one follows
        Bytes const rest = parser->take_rest();
        parser = std::make_unique<HttpParser>(HttpParser::Kind::response, kResponseBounds);
        if (auto more = parser->feed(rest); !more) return lose(more.error());
        continue;
      }
      bool const keep = parser->keep_alive() && parser->take_rest().empty();
      HttpResponse response = parser->take_response();
      parser.reset();
      if (keep) {
        reused = true;
      } else {
        disconnect();
      }
      finish_front(std::move(response));
      start_next();
      return;
    }
  }

  void channel_closed(Error why) override {
    auto const self = shared_from_this();
    lose(std::move(why));
  }

  void begin_feed() {
    if (!feed || !queue.front().upgrades) {
      return lose(Error{Errc::malformed, "HTTP: an upgrade nobody asked for", {}});
    }
    feed->open = true;
    loop.cancel(queue.front().timer);
    queue.pop_front();
    in_flight = false;
    auto const text = std::exchange(parser, nullptr)->take_rest();
    take_events(as_text(text));
    start_next();
  }

  void take_events(std::string_view text) {
    auto const followed = feed;
    auto const fed = followed->parser.feed(text, [&](ServerSentEvent const& event) {
      if (feed != followed) return;  // given up while an event was looked at
      if (event.name == kAnswerEvent) {
        take_answer(event.data);
      } else {
        followed->on_event(event);
      }
    });
    if (!fed && feed == followed) lose(fed.error());
  }

  void take_answer(std::string_view data) {
    if (feed->unheard > 0) {
      --feed->unheard;
      return;
    }
    std::size_t const space = data.find(' ');
    int status = 0;
    auto const [end, error] = std::from_chars(data.data(), data.data() + data.size(), status);
    if (!in_flight || error != std::errc{} || space == std::string_view::npos ||
        end != data.data() + space) {
      return lose(Error{Errc::malformed, "an answer in the feed that is none", {}});
    }
    finish_front(HttpResponse{status, "application/json", std::string(data.substr(space + 1))});
    start_next();
  }

  /// The connection ends with it, and nobody is told; a call under way fails.
  void give_up(Feed const* followed) {
    if (feed.get() != followed) return;
    auto const self = shared_from_this();
    bool const open = std::exchange(feed, nullptr)->open;
    if (open) return lose(Error{Errc::unreachable, "the feed was closed", {}});
    for (auto& waiting : queue) {
      if (waiting.upgrades) waiting.done = [](auto const&) {};
    }
  }

  /// The connection is of no more use: the call on it fails, or is sent again where that is safe.
  void lose(Error why) {
    bool const whole = in_flight && parser && parser->started() && parser->finish().has_value();
    if (whole) {  // an answer that ends with the connection
      HttpResponse response = parser->take_response();
      disconnect();
      finish_front(std::move(response));
      return start_next();
    }
    bool const stale = in_flight && reused && parser && !parser->started();
    bool const was_in_flight = in_flight;
    bool const was_needed = !queue.empty();
    disconnect();
    if (feed && feed->open) {
      std::exchange(feed, nullptr)->on_end(why);
      if (!was_in_flight) return start_next();
    }
    if (!was_needed || queue.empty()) return;
    Waiting& front = queue.front();
    if (stale && !front.retried && is_idempotent(front.method)) {
      front.retried = true;
    } else {
      finish_front(tl::unexpected<Error>(std::move(why)));
    }
    start_next();
  }

  void time_out(std::uint64_t number) {
    auto const self = shared_from_this();
    auto const found = std::find_if(queue.begin(), queue.end(),
                                    [&](Waiting const& one) { return one.number == number; });
    if (found == queue.end()) return;
    if (found == queue.begin() && in_flight && feed && feed->open) {
      ++feed->unheard;  // one slow answer is no reason to hear nothing
      in_flight = false;
    } else if (found == queue.begin()) {
      disconnect();
    }
    Done const done = std::move(found->done);
    queue.erase(found);
    done(fail(Errc::timeout, "no answer in time from " + host_of(target)));
    start_next();
  }
};

HttpClient::HttpClient(EventLoop& loop, HttpTarget target)
    : state_(std::make_shared<State>(loop, std::move(target))) {}

HttpClient::~HttpClient() {
  for (auto const& waiting : state_->queue) state_->loop.cancel(waiting.timer);
  state_->queue.clear();
  state_->feed.reset();
  state_->disconnect();
}

void HttpClient::call(HttpCall call, Done done) {
  auto text = format_request(call, host_of(state_->target), true);
  if (!text || state_->queue.size() >= kClientQueueMax) {
    Error const why =
        text ? Error{Errc::too_large, "calls waiting for one connection", {}} : text.error();
    state_->loop.at(state_->loop.now(),
                    [done = std::move(done), why] { done(tl::unexpected<Error>(why)); });
    return;
  }
  std::uint64_t const number = state_->next_number++;
  auto const timer = state_->loop.after(call.timeout, [weak = state_->weak_from_this(), number] {
    if (auto const state = weak.lock()) state->time_out(number);
  });
  bool const upgrades = call.headers.contains("Upgrade");
  state_->queue.push_back(
      {number, call.method, std::move(*text), std::move(done), timer, false, upgrades});
  state_->start_next();
}

void HttpClient::rest() {
  if (state_->queue.empty() && !state_->feed) state_->disconnect();
}

void HttpClient::turn_to(HttpTarget target) {
  auto const state = state_;
  state->feed.reset();
  bool const cut_off = state->in_flight;
  state->disconnect();
  state->target = std::move(target);
  if (cut_off) {
    state->finish_front(fail(Errc::unreachable, "the connection was given up"));
  }
  std::erase_if(state->queue, [&](State::Waiting const& waiting) {
    if (waiting.upgrades) state->loop.cancel(waiting.timer);
    return waiting.upgrades;
  });
  state->start_next();
}

std::shared_ptr<void> HttpClient::follow(HttpCall call,
                                         std::function<void(ServerSentEvent const&)> on_event,
                                         std::function<void(Error)> on_end) {
  if (state_->feed) state_->give_up(state_->feed.get());
  auto const feed = std::make_shared<State::Feed>();
  feed->on_event = std::move(on_event);
  feed->on_end = std::move(on_end);
  state_->feed = feed;
  call.headers.insert({{"Connection", "Upgrade"}, {"Upgrade", kFeedProtocol}});
  // Told only where no feed comes about.
  this->call(std::move(call), [weak_state = state_->weak_from_this(),
                               weak = std::weak_ptr<State::Feed>(feed)](auto const& answer) {
    auto const state = weak_state.lock();
    auto const refused = weak.lock();
    if (!state || !refused || state->feed != refused) return;
    state->feed.reset();
    refused->on_end(answer ? error_of_status(answer->status, answer->body) : answer.error());
  });
  // A feed that is gone is known by its weak pointer: its address may be another's by now.
  return std::shared_ptr<void>(feed.get(), [weak_state = state_->weak_from_this(),
                                            weak = std::weak_ptr<State::Feed>(feed)](void*) {
    auto const state = weak_state.lock();
    auto const followed = weak.lock();
    if (state && followed) state->give_up(followed.get());
  });
}

Result<HttpResponse> HttpClient::call_and_wait(HttpCall call) {
  constexpr Duration kMargin = std::chrono::seconds(1);  // the call's own timeout comes first
  auto const answer = std::make_shared<std::optional<Result<HttpResponse>>>();
  Duration const limit = call.timeout + kMargin;
  this->call(std::move(call),
             [answer](Result<HttpResponse> result) { *answer = std::move(result); });
  if (!state_->loop.run_until([&] { return answer->has_value(); }, limit)) {
    return fail(Errc::timeout, "no answer in time from " + host_of(state_->target));
  }
  return std::move(**answer);
}

namespace {

/// A connection that carries one event stream.
class ClientStream final : public ChannelEvents, public std::enable_shared_from_this<ClientStream> {
 public:
  ClientStream(EventLoop& loop, std::string request,
               std::function<void(ServerSentEvent const&)> on_event,
               std::function<void(Error)> on_end)
      : loop_(loop),
        request_(std::move(request)),
        on_event_(std::move(on_event)),
        on_end_(std::move(on_end)) {}
  ~ClientStream() {
    loop_.cancel(timer_);
    if (channel_) channel_->close();
  }

  void start(HttpTarget const& target, Duration timeout) {
    timer_ = loop_.after(timeout, [this] {
      end(Error{Errc::timeout, "no event stream in time", {}});
    });
    channel_ = open_channel(loop_, target, *this);
    if (channel_->ready()) channel_ready();
  }
  void end_soon(Error why) {
    timer_ = loop_.after({}, [this, why = std::move(why)] { end(why); });
  }

 private:
  void channel_ready() override { channel_->send(std::exchange(request_, {})); }

  void channel_data(ByteView plain) override {
    auto const self = shared_from_this();
    if (auto status = parser_.feed(plain); !status) return end(status.error());
    if (!parser_.header_done()) return;
    std::string const body = parser_.take_body();
    if (parser_.status() != 200) {
      refusal_ += body;
      if (parser_.done() || refusal_.size() > kClientHeaderBytesMax) {
        end(error_of_status(parser_.status(), refusal_));
      }
      return;
    }
    loop_.cancel(timer_);
    if (parser_.header("content-type").rfind("text/event-stream", 0) != 0) {
      return end(Error{Errc::malformed, "the answer is not an event stream", {}});
    }
    auto const fed = events_.feed(body, [&](ServerSentEvent const& event) {
      // The handle may be dropped while an event is looked at; then only we are left.
      if (self.use_count() > 1 && on_event_) on_event_(event);
    });
    if (self.use_count() == 1) return;
    if (!fed) return end(fed.error());
    if (parser_.done()) end(Error{Errc::unreachable, "the event stream ended", {}});
  }

  void channel_closed(Error why) override { end(std::move(why)); }

  void end(Error why) {
    auto const self = shared_from_this();
    loop_.cancel(timer_);
    if (channel_) channel_->close();
    on_event_ = nullptr;
    if (auto const on_end = std::exchange(on_end_, nullptr)) on_end(std::move(why));
  }

  EventLoop& loop_;
  std::string request_;
  std::function<void(ServerSentEvent const&)> on_event_;
  std::function<void(Error)> on_end_;
  std::shared_ptr<Channel> channel_;
  HttpParser parser_{HttpParser::Kind::response_stream, kResponseBounds};
  EventParser events_;
  std::string refusal_;
  EventLoop::TimerId timer_{};
};

}  // namespace

std::shared_ptr<void> HttpClient::stream(HttpCall call,
                                         std::function<void(ServerSentEvent const&)> on_event,
                                         std::function<void(Error)> on_end) {
  call.headers.emplace("Accept", "text/event-stream");
  auto text = format_request(call, host_of(state_->target), false);
  auto const stream = std::make_shared<ClientStream>(state_->loop, text ? *text : std::string(),
                                                     std::move(on_event), std::move(on_end));
  if (text) {
    stream->start(state_->target, call.timeout);
  } else {
    stream->end_soon(text.error());
  }
  return stream;
}

}  // namespace shamon
