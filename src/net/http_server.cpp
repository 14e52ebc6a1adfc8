#include <exception>

#include <unistd.h>

#include "net/http.hpp"
#include "net/http_connection.hpp"
#include "net/http_text.hpp"
#include "net/socket.hpp"

namespace shamon {

HttpServer::HttpServer(EventLoop& loop, ServerLimits limits)
    : state_(std::make_unique<State>(loop, limits)) {}
HttpServer::~HttpServer() = default;

void HttpServer::route(std::string method, std::string pattern, Handler handler) {
  state_->routes.push_back({std::move(method), std::move(pattern), std::move(handler)});
}

Result<Endpoint> HttpServer::listen_tls(Endpoint at, std::shared_ptr<TlsContext const> tls) {
  if (!tls) return fail(Errc::invalid, "no TLS context");
  auto fd = listen_tcp(at);
  if (!fd) return pass(fd);
  auto const local = local_endpoint(fd->get());
  if (!local) return pass(local);
  state_->tls = std::move(tls);
  state_->acceptors.push_back(std::make_unique<Acceptor>(
      state_->loop, std::move(*fd), [state = state_.get()](UniqueFd peer) {
        state->accept(std::move(peer), state->tls, std::nullopt);
      }));
  return *local;
}

Status HttpServer::listen_unix(std::string const& path, unsigned mode) {
  auto fd = listen_unix_socket(path, mode);
  if (!fd) return pass(fd);
  state_->unix_paths.push_back(path);
  state_->acceptors.push_back(std::make_unique<Acceptor>(
      state_->loop, std::move(*fd), [state = state_.get()](UniqueFd peer) {
        auto const who = unix_peer(peer.get());
        if (who) state->accept(std::move(peer), nullptr, who);
      }));
  return {};
}

void HttpServer::set_tls(std::shared_ptr<TlsContext const> tls) {
  state_->tls = std::move(tls);
}

std::size_t HttpServer::connection_count() const noexcept {
  return state_->connections.size();
}

HttpServer::State::State(EventLoop& on_loop, ServerLimits const& with_limits)
    : loop(on_loop), limits(with_limits) {
  schedule_sweep();
}

HttpServer::State::~State() {
  loop.cancel(sweep_timer);
  acceptors.clear();
  for (std::string const& path : unix_paths) ::unlink(path.c_str());
  for (auto const& [key, connection] : connections) connection->abandon();
}

void HttpServer::State::accept(UniqueFd fd, std::shared_ptr<TlsContext const> const& with_tls,
                               std::optional<LocalPeer> peer) {
  if (connections.size() >= limits.connections_max) return;
  auto connection = std::make_shared<HttpConnection>(*this, peer);
  connections.emplace(connection.get(), connection);
  connection->start(std::move(fd), with_tls);
}

/// One timer for all: a timer per connection would cost more than looking at each now and then.
void HttpServer::State::schedule_sweep() {
  Duration const period = std::clamp<Duration>(limits.idle_max / 4, std::chrono::milliseconds(10),
                                               std::chrono::seconds(5));
  sweep_timer = loop.after(period, [this] {
    Instant const now = loop.now();
    std::vector<std::shared_ptr<HttpConnection>> late;
    for (auto const& [key, connection] : connections) {
      if (connection->is_late(now)) late.push_back(connection);
    }
    for (auto const& connection : late) connection->drop();
    schedule_sweep();
  });
}

/// Finds the route; answers 404 or 405 itself.
void HttpServer::State::dispatch(HttpRequest& request,
                                 std::shared_ptr<Responder> const& responder) {
  bool path_known = false;
  for (Route const& route : routes) {
    if (!match_route(route.pattern, request.path, request.parameters)) continue;
    path_known = true;
    if (route.method != request.method) continue;
    Handler const handler = route.handler;
    try {
      handler(request, responder);
    } catch (std::exception const& exception) {
      // The responder ignores this if the handler had answered before it threw.
      responder->send({500, "text/plain", std::string("internal error: ") + exception.what()});
    }
    return;
  }
  if (path_known) {
    responder->send({405, "text/plain", "no such method here"});
  } else {
    responder->send({404, "text/plain", "no such path"});
  }
}

}  // namespace shamon
