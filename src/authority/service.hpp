// The authority's HTTP services: TLS for machines, two UNIX sockets for operators. Holds the
// sockets and the clock; every decision is the core's.
#pragma once

#include <memory>
#include <string>

#include "authority/core.hpp"
#include "authority/event_journal.hpp"
#include "authority/feed.hpp"
#include "net/http.hpp"

namespace shamon {

class AuthorityService {
 public:
  AuthorityService(EventLoop& loop, AuthorityCore& core, Store& store,
                   PrivateKey const& status_key);
  ~AuthorityService();

  /// Errors: `system`.
  Result<Endpoint> listen_tls(Endpoint at, TlsIdentity identity, Certificate const& ca);
  /// FOLDER/authority.sock for our own user and root, FOLDER/authority-read.sock for everybody.
  Status listen_local(std::string const& folder);
  /// Begins to send heartbeats and challenges.
  void start();

  /// Sends out what the core has decided. Call after every change made to the core from outside.
  void drain();

 private:
  using Reply = Answer<std::string>;
  using Route = std::function<Reply(HttpRequest const&)>;

  void add_route(HttpServer& server, std::string method, std::string pattern, Route route);
  void add_machine_routes(HttpServer& server);
  void add_member_routes(HttpServer& server);
  void add_read_routes(HttpServer& server);
  void add_admin_routes(HttpServer& server);
  void follow_feed(HttpRequest const& request, std::shared_ptr<Responder> const& responder);
  void follow_events(HttpRequest const& request, std::shared_ptr<Responder> const& responder);
  Answer<HostName> member_of(HttpRequest const& request) const;
  void send_heartbeat();
  Heartbeat next_heartbeat();
  void schedule_tick();
  std::string metrics() const;

  EventLoop& loop_;
  AuthorityCore& core_;
  Feed feed_;
  EventJournal journal_;
  HttpServer machines_, operators_, readers_;
  std::uint64_t heartbeat_sequence_ = 0;
  std::optional<EventLoop::TimerId> tick_timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace shamon
