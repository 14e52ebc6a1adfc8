// HTTP/1.1 server and client over TLS or UNIX sockets, with server-sent events (WHATWG HTML §9.2).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ipv4.hpp"
#include "crypto/tls.hpp"
#include "net/event_loop.hpp"

namespace shamon {

/// Credentials of the process at the other end of a UNIX socket (SO_PEERCRED).
struct LocalPeer {
  unsigned uid = 0;
  unsigned gid = 0;
  int pid = 0;
};

struct HttpRequest {
  std::string method;
  std::string path;                            ///< decoded, without the query
  std::map<std::string, std::string> query;    ///< decoded
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;                            ///< at most ServerLimits::body_bytes_max
  std::optional<Certificate> peer_certificate;
  std::optional<LocalPeer> local_peer;
  std::map<std::string, std::string> parameters;  ///< {name} parts of the route
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// One event of a stream: `id` is a revision, `name` the event type, `data` one line of text.
struct ServerSentEvent {
  std::string id;
  std::string name;
  std::string data;
};

/// A client that listens. Lives as long as someone holds it.
class EventStream {
 public:
  virtual ~EventStream() = default;
  /// False if the client is gone or lags more than the limit (then it is closed).
  virtual bool send(ServerSentEvent const& event) = 0;
  virtual bool open() const = 0;
  virtual void close() = 0;
  virtual void on_close(std::function<void()> task) = 0;
};

/// What a connection may be upgraded to (RFC 9110 §7.8) by the request that opens a stream: events
/// one way and still requests the other way, each answered by an event named kAnswerEvent whose
/// data is the status, a space and the body, which is one line. So one connection does for a
/// member.
inline constexpr char kFeedProtocol[] = "shamon-feed";
inline constexpr char kAnswerEvent[] = "answer";

/// The duty to answer one request, once, now or later.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(HttpResponse response) = 0;
  virtual std::shared_ptr<EventStream> stream() = 0;  ///< answers 200 text/event-stream
};

struct ServerLimits {
  std::size_t header_bytes_max = 16u << 10;
  std::size_t body_bytes_max = 16u << 20;
  std::size_t connections_max = 50'000;
  std::size_t backlog_bytes_max = 4u << 20;  ///< of unsent stream data per client
  Duration idle_max = std::chrono::seconds(60);
};

class HttpServer {
 public:
  using Handler = std::function<void(HttpRequest const&, std::shared_ptr<Responder>)>;
  HttpServer(EventLoop& loop, ServerLimits limits = {});
  ~HttpServer();
  /// Pattern: "/v1/hosts/{name}/revoke". The first match wins; none: 404, other method: 405.
  void route(std::string method, std::string pattern, Handler handler);
  Result<Endpoint> listen_tls(Endpoint at, std::shared_ptr<TlsContext const> tls);  ///< port 0: any
  Status listen_unix(std::string const& path, unsigned mode);
  /// For the certificate's renewal: later connections use it.
  void set_tls(std::shared_ptr<TlsContext const> tls);
  std::size_t connection_count() const noexcept;
  struct State;  ///< for net/ only

 private:
  std::unique_ptr<State> state_;
};

/// Where a server is.
struct TlsTarget {
  Endpoint endpoint;
  std::shared_ptr<TlsContext const> tls;
};
struct UnixTarget {
  std::string path;
};
using HttpTarget = std::variant<TlsTarget, UnixTarget>;

struct HttpCall {
  std::string method = "GET";
  std::string target{};  ///< path and query, encoded
  std::string body{};
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers{};
  Duration timeout = std::chrono::seconds(10);
};

/// Keeps one connection per target alive and queues calls on it.
class HttpClient {
 public:
  using Done = std::function<void(Result<HttpResponse>)>;
  HttpClient(EventLoop& loop, HttpTarget target);
  ~HttpClient();
  void call(HttpCall call, Done done);
  /// Closes the connection if no call and no feed is on it; the next call opens another.
  void rest();
  /// Goes on with another target, or as somebody else: calls that wait are made there. The call
  /// under way fails, and the feed ends without a word.
  void turn_to(HttpTarget target);
  /// Opens an event stream on a connection of its own. `on_event` per event; `on_end` once.
  /// Dropping the handle closes it.
  std::shared_ptr<void> stream(HttpCall call, std::function<void(ServerSentEvent const&)> on_event,
                               std::function<void(Error)> on_end);
  /// The same on this client's own connection: calls made meanwhile go through it as well. One at a
  /// time. When it ends, later calls open a connection of their own.
  std::shared_ptr<void> follow(HttpCall call, std::function<void(ServerSentEvent const&)> on_event,
                               std::function<void(Error)> on_end);
  /// For command-line tools: runs the loop until the answer is there.
  Result<HttpResponse> call_and_wait(HttpCall call);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shamon
