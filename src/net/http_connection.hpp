// One connection of the HTTP server. For net/ only.
#pragma once

#include "net/channel.hpp"
#include "net/http.hpp"
#include "net/http_parser.hpp"
#include "net/socket.hpp"

namespace shamon {

class HttpConnection;

struct HttpServer::State {
  struct Route {
    std::string method;
    std::string pattern;
    Handler handler;
  };

  EventLoop& loop;
  ServerLimits limits;
  std::shared_ptr<TlsContext const> tls;
  std::vector<Route> routes;
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  std::vector<std::string> unix_paths;
  std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections;
  EventLoop::TimerId sweep_timer{};

  State(EventLoop& on_loop, ServerLimits const& with_limits);
  ~State();
  void accept(UniqueFd fd, std::shared_ptr<TlsContext const> const& with_tls,
              std::optional<LocalPeer> peer);
  void schedule_sweep();
  void dispatch(HttpRequest& request, std::shared_ptr<Responder> const& responder);
};

/// Reads a request, waits for its answer, reads the next; or becomes an event stream for good.
/// Where the client asked for it (kFeedProtocol), the stream goes on taking requests and answers
/// them with events. While it waits it holds no parser and no buffer.
class HttpConnection final : public ChannelEvents,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpServer::State& server, std::optional<LocalPeer> local_peer)
      : server_(&server), local_peer_(local_peer), since_(server.loop.now()) {}
  void start(UniqueFd fd, std::shared_ptr<TlsContext const> const& tls);

  void respond(HttpResponse const& response);
  bool start_stream();  ///< false if the connection is gone
  bool send_event(ServerSentEvent const& event);
  void end_stream();
  bool is_open() const noexcept { return server_ != nullptr && channel_ && channel_->is_open(); }
  void on_close(std::function<void()> task);

  bool is_late(Instant now) const noexcept;
  void drop();     ///< closes now and tells whoever listens to the closing
  void abandon();  ///< the server goes: closes and tells nobody

 private:
  enum class Phase : std::uint8_t { reading, answering, streaming, closing };

  void channel_data(ByteView plain) override;
  void channel_drained() override;
  void channel_closed(Error why) override;
  bool may_ask() const noexcept;
  void process();
  bool parse_some();
  void answer_in_stream(HttpResponse const& response);
  void refuse(int status, std::string message);

  HttpServer::State* server_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<HttpParser> parser_;
  Bytes input_;  ///< arrived while a request was being answered
  std::optional<LocalPeer> local_peer_;
  std::vector<std::function<void()>> close_tasks_;
  Instant since_;  ///< when this phase of the connection began
  Phase phase_ = Phase::reading;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool chunked_ = true;
  bool told_to_continue_ = false;
  bool wants_duplex_ = false;  ///< the request being answered offers to go on asking
  bool duplex_ = false;        ///< a stream that takes requests
  bool asked_ = false;         ///< one of them is being answered
  bool processing_ = false;
};

std::shared_ptr<Responder> make_responder(std::shared_ptr<HttpConnection> const& connection);

}  // namespace shamon
