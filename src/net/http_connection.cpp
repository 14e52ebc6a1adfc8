#include "net/http_connection.hpp"

#include "net/http_text.hpp"
#include "net/server_sent_events.hpp"

namespace shamon {
namespace {

class Stream final : public EventStream {
 public:
  explicit Stream(std::weak_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  ~Stream() override { close(); }
  bool send(ServerSentEvent const& event) override {
    auto const connection = connection_.lock();
    return connection && connection->send_event(event);
  }
  bool open() const override {
    auto const connection = connection_.lock();
    return connection && connection->is_open();
  }
  void close() override {
    if (auto const connection = connection_.lock()) connection->end_stream();
  }
  void on_close(std::function<void()> task) override {
    if (auto const connection = connection_.lock()) connection->on_close(std::move(task));
  }

 private:
  std::weak_ptr<HttpConnection> connection_;
};

class Answer final : public Responder {
 public:
  explicit Answer(std::weak_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  ~Answer() override {
    // A request is never left hanging, even where a handler forgets it.
    if (!answered_) send({500, "text/plain", "no answer was given"});
  }
  void send(HttpResponse response) override {
    if (std::exchange(answered_, true)) return;
    if (auto const connection = connection_.lock()) connection->respond(response);
  }
  std::shared_ptr<EventStream> stream() override {
    bool const first = !std::exchange(answered_, true);
    auto const connection = connection_.lock();
    bool const started = first && connection && connection->start_stream();
    if (first && connection && !started) connection->respond({409, "text/plain", "one stream"});
    return std::make_shared<Stream>(started ? connection_ : std::weak_ptr<HttpConnection>());
  }

 private:
  std::weak_ptr<HttpConnection> connection_;
  bool answered_ = false;
};

}  // namespace

std::shared_ptr<Responder> make_responder(std::shared_ptr<HttpConnection> const& connection) {
  return std::make_shared<Answer>(connection);
}

void HttpConnection::start(UniqueFd fd, std::shared_ptr<TlsContext const> const& tls) {
  channel_ = Channel::accepted(server_->loop, std::move(fd), tls, *this);
}

void HttpConnection::channel_data(ByteView plain) {
  bool const deaf = phase_ == Phase::streaming && !duplex_;
  if (deaf || phase_ == Phase::closing) return;  // nothing more to ask
  append(input_, plain);
  process();
}

void HttpConnection::channel_drained() {
  process();
}

bool HttpConnection::may_ask() const noexcept {
  return phase_ == Phase::reading || (phase_ == Phase::streaming && duplex_ && !asked_);
}

/// Works off the input as long as no answer is outstanding. A handler may answer at once; the loop
/// here then goes on instead of a recursion.
void HttpConnection::process() {
  if (processing_) return;
  auto const self = shared_from_this();
  processing_ = true;
  while (may_ask() && server_ != nullptr && (duplex_ || channel_->backlog_bytes() == 0) &&
         parse_some()) {
  }
  processing_ = false;
  if (server_ == nullptr || !channel_->is_open()) return;
  // Whoever sends the next request before the answer to the last waits in the kernel.
  channel_->set_reading(input_.size() <= server_->limits.header_bytes_max);
}

/// False when more input is needed.
bool HttpConnection::parse_some() {
  if (input_.empty()) return false;
  ServerLimits const& limits = server_->limits;
  if (!parser_) {
    parser_ = std::make_unique<HttpParser>(
        HttpParser::Kind::request,
        HttpParser::Bounds{limits.header_bytes_max, limits.body_bytes_max});
    since_ = server_->loop.now();
    told_to_continue_ = false;
  }
  Bytes const input = std::exchange(input_, {});
  if (auto status = parser_->feed(input); !status) {
    refuse(parser_->refusal_status(), status.error().message);
    return false;
  }
  if (!parser_->done()) {
    if (parser_->expects_continue() && !std::exchange(told_to_continue_, true)) {
      channel_->send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return false;
  }
  auto const parser = std::move(parser_);
  input_ = parser->take_rest();
  if (input_.empty()) input_ = Bytes();  // a large request's memory is not the connection's
  auto request = parser->take_request();
  if (!request) {
    refuse(400, request.error().message);
    return false;
  }
  request->local_peer = local_peer_;
  if (channel_->tls() != nullptr) request->peer_certificate = channel_->tls()->peer_certificate();
  if (duplex_) {
    asked_ = true;
  } else {
    keep_alive_ = parser->keep_alive();
    chunked_ = !parser->is_http_1_0();
    head_only_ = request->method == "HEAD";
    auto const upgrade = request->headers.find("upgrade");
    wants_duplex_ = upgrade != request->headers.end() && upgrade->second == kFeedProtocol;
    phase_ = Phase::answering;
  }
  server_->dispatch(*request, make_responder(shared_from_this()));
  return true;
}

void HttpConnection::refuse(int status, std::string message) {
  if (duplex_) return end_stream();
  keep_alive_ = false;
  head_only_ = false;
  phase_ = Phase::answering;
  parser_.reset();
  respond({status, "text/plain", std::move(message)});
}

void HttpConnection::respond(HttpResponse const& response) {
  if (duplex_) return answer_in_stream(response);
  if (!is_open() || phase_ != Phase::answering) return;
  phase_ = Phase::reading;
  since_ = server_->loop.now();
  channel_->send(format_response(response, keep_alive_, !head_only_));
  if (!keep_alive_) {
    phase_ = Phase::closing;
    input_ = Bytes();
    channel_->close_when_flushed();
    return;
  }
  process();
}

void HttpConnection::answer_in_stream(HttpResponse const& response) {
  if (!std::exchange(asked_, false)) return;
  send_event({"", kAnswerEvent, std::to_string(response.status) + " " + response.body});
  process();
}

bool HttpConnection::start_stream() {
  if (!is_open() || phase_ != Phase::answering) return false;
  phase_ = Phase::streaming;
  duplex_ = wants_duplex_;
  if (duplex_) {
    chunked_ = false;
    channel_->send(format_upgrade(kFeedProtocol));
    process();
    return true;
  }
  input_ = Bytes();
  channel_->set_reading(true);
  channel_->send(format_stream_header(chunked_));
  return true;
}

bool HttpConnection::send_event(ServerSentEvent const& event) {
  if (!is_open() || phase_ != Phase::streaming) return false;
  std::string const text = format_event(event);
  channel_->send(chunked_ ? format_chunk(text) : text);
  if (channel_->backlog_bytes() > server_->limits.backlog_bytes_max) drop();
  return is_open();
}

void HttpConnection::end_stream() {
  if (!is_open() || phase_ != Phase::streaming) return;
  phase_ = Phase::closing;
  since_ = server_->loop.now();
  if (chunked_) channel_->send(kLastChunk);
  channel_->close_when_flushed();
}

void HttpConnection::on_close(std::function<void()> task) {
  if (is_open()) {
    close_tasks_.push_back(std::move(task));
  } else if (server_ != nullptr) {
    server_->loop.at(server_->loop.now(), std::move(task));
  }
}

bool HttpConnection::is_late(Instant now) const noexcept {
  Duration const limit = server_->limits.idle_max;
  if (channel_->backlog_bytes() > 0 && now - channel_->last_progress() > limit) return true;
  switch (phase_) {
    case Phase::reading: return channel_->backlog_bytes() == 0 && now - since_ > limit;
    case Phase::closing: return now - since_ > limit;
    case Phase::streaming: return parser_ && now - since_ > limit;  // half a request
    case Phase::answering: return false;
  }
  return false;
}

void HttpConnection::drop() {
  channel_->close();
  auto const self = shared_from_this();
  // Later, not now: the caller may be walking over the very list the tasks change.
  server_->loop.at(server_->loop.now(), [self] { self->channel_closed({}); });
}

void HttpConnection::abandon() {
  server_ = nullptr;
  close_tasks_.clear();
  if (channel_) channel_->close();
}

void HttpConnection::channel_closed(Error) {
  if (server_ == nullptr) return;
  auto const self = shared_from_this();
  HttpServer::State& server = *std::exchange(server_, nullptr);
  server.connections.erase(this);
  for (auto const& task : std::exchange(close_tasks_, {})) task();
}

}  // namespace shamon
