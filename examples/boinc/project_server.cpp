// The project server: an HTTP/1.1 listener around Project. One thread, one poll loop.
//
//   boinc_project_server --listen 10.77.2.10:8080 --url http://10.77.2.10:8080/ --account KEY
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/ipv4_text.hpp"
#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "http_request.hpp"
#include "limits.hpp"
#include "scheduler.hpp"

namespace {

using namespace boinc_example;
using shamon::Errc;
using shamon::fail;
using shamon::fail_errno;
using shamon::Result;
using shamon::UniqueFd;

struct Connection {
  UniqueFd socket;
  std::string client;
  std::string received;
  std::string to_send;
  std::size_t sent = 0;
  bool told_to_continue = false;
  shamon::Instant last_active;
};

Result<UniqueFd> listen_on(shamon::Endpoint endpoint) {
  shamon::SocketAddress const address(endpoint);
  UniqueFd listener(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return fail_errno("socket");
  int const on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), address.get(), address.size) != 0) {
    return fail_errno("bind " + to_string(endpoint));
  }
  if (::listen(listener.get(), 16) != 0) return fail_errno("listen");
  return listener;
}

void accept_connections(UniqueFd const& listener, std::vector<Connection>& connections) {
  while (connections.size() < kConnectionsMax) {
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    UniqueFd socket(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                              SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    Connection connection;
    connection.socket = std::move(socket);
    connection.client = to_string(shamon::Ipv4{ntohl(peer.sin_addr.s_addr)});
    connection.last_active = shamon::read_monotonic_clock();
    connections.push_back(std::move(connection));
  }
}

/// Takes what arrived and answers once the request is whole. False: close the connection.
bool receive(Connection& connection, Project& project) {
  char buffer[4096];
  auto const count = ::recv(connection.socket.get(), buffer, sizeof buffer, 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) return false;
  connection.received.append(buffer, static_cast<std::size_t>(count));
  auto const request = read_http_request(connection.received);
  if (!request) {
    connection.to_send = http_response(400, "text/plain", request.error().message + "\n");
  } else if (*request) {
    connection.to_send = project.answer(**request, connection.client, std::time(nullptr));
  } else if (!connection.told_to_continue && expects_continue(connection.received)) {
    connection.told_to_continue = true;
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // 25 bytes into an empty socket buffer: it fits or the peer is gone.
    return ::send(connection.socket.get(), kContinue.data(), kContinue.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(kContinue.size());
  }
  return true;
}

/// Sends what fits. False: all sent or failed; close the connection.
bool send_some(Connection& connection) {
  auto const count = ::send(connection.socket.get(), connection.to_send.data() + connection.sent,
                            connection.to_send.size() - connection.sent, MSG_NOSIGNAL);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  connection.sent += static_cast<std::size_t>(count);
  return connection.sent < connection.to_send.size();
}

bool serve(Connection& connection, short events, Project& project, shamon::Instant now) {
  if (events == 0) {
    return now - connection.last_active < std::chrono::milliseconds(kConnectionIdleMs);
  }
  connection.last_active = now;
  if (connection.to_send.empty() && !receive(connection, project)) return false;
  return connection.to_send.empty() || send_some(connection);
}

[[noreturn]] void run(UniqueFd const& listener, Project& project) {
  std::vector<Connection> connections;
  while (true) {
    std::vector<pollfd> polls;
    polls.push_back({connections.size() < kConnectionsMax ? listener.get() : -1, POLLIN, 0});
    for (auto const& connection : connections) {
      short const wanted = connection.to_send.empty() ? POLLIN : POLLOUT;
      polls.push_back({connection.socket.get(), wanted, 0});
    }
    if (::poll(polls.data(), polls.size(), 1000) < 0 && errno != EINTR) {
      std::perror("poll");
      std::exit(1);
    }
    auto const now = shamon::read_monotonic_clock();
    std::vector<Connection> alive;
    for (std::size_t i = 0; i < connections.size(); ++i) {
      if (serve(connections[i], polls[i + 1].revents, project, now)) {
        alive.push_back(std::move(connections[i]));
      }
    }
    connections = std::move(alive);
    if (polls[0].revents != 0) accept_connections(listener, connections);
  }
}

std::map<std::string, std::string> read_options(int count, char** arguments) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < count; i += 2) options[arguments[i]] = arguments[i + 1];
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  auto options = read_options(argc, argv);
  auto const endpoint = shamon::parse_endpoint(options["--listen"]);
  auto const url = options["--url"];
  auto const account = options["--account"];
  if (!endpoint || !url.starts_with("http://") || !url.ends_with("/") || account.empty()) {
    std::fprintf(stderr, "usage: %s --listen ADDRESS:PORT --url http://HOST:PORT/ --account KEY\n",
                 argv[0]);
    return 2;
  }
  auto const listener = listen_on(*endpoint);
  if (!listener) {
    std::fprintf(stderr, "project: %s\n", listener.error().describe().c_str());
    return 1;
  }
  auto const log = [](std::string const& line) {
    std::printf("project: %s\n", line.c_str());
    std::fflush(stdout);
  };
  Project project({url, account}, log);
  log("open at " + url);
  run(*listener, project);
}
