#include "authority/service.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace shamon {
namespace {

HttpResponse to_response(Refusal const& refusal) {
  return {http_status(refusal), "application/json", encode_json(refusal)};
}

std::uint64_t query_number(HttpRequest const& request, std::string const& name) {
  auto const found = request.query.find(name);
  if (found == request.query.end()) return 0;
  std::uint64_t value = 0;
  for (char const c : found->second) {
    if (c < '0' || c > '9' || value > std::numeric_limits<std::uint64_t>::max() / 10 - 1) return 0;
    value = 10 * value + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

AuthorityService::AuthorityService(EventLoop& loop, AuthorityCore& core, Store& store,
                                   PrivateKey const& status_key)
    : loop_(loop),
      core_(core),
      feed_(store, status_key),
      machines_(loop),
      operators_(loop),
      readers_(loop) {
  add_machine_routes(machines_);
  add_member_routes(machines_);
  add_admin_routes(operators_);
  add_read_routes(operators_);
  add_read_routes(readers_);
}

AuthorityService::~AuthorityService() {
  alive_.reset();
  if (tick_timer_) loop_.cancel(*tick_timer_);
}

Result<Endpoint> AuthorityService::listen_tls(Endpoint at, TlsIdentity identity,
                                              Certificate const& ca) {
  TlsOptions options;
  options.role = TlsRole::server;
  options.identity = std::move(identity);
  options.trusted_roots = {ca};
  options.require_peer_certificate = false;  // who registers has none yet
  auto context = TlsContext::create(std::move(options));
  if (!context) return pass(context, "TLS");
  return machines_.listen_tls(at, std::move(*context));
}

Status AuthorityService::listen_local(std::string const& folder) {
  std::string const admin = folder + "/authority.sock";
  if (auto ok = operators_.listen_unix(admin, 0600); !ok) return ok;
  return readers_.listen_unix(folder + "/authority-read.sock", 0666);
}

void AuthorityService::start() {
  send_heartbeat();
  drain();
}

Heartbeat AuthorityService::next_heartbeat() {
  auto const lease_ms = static_cast<std::uint64_t>(core_.options().lease.count() / 1'000'000);
  return {core_.revision(), read_wall_clock(), ++heartbeat_sequence_, lease_ms};
}

void AuthorityService::send_heartbeat() {
  // Silence is what tells members that we can no longer answer for the store.
  if (core_.healthy()) feed_.send_heartbeat(next_heartbeat());
  loop_.after(core_.options().heartbeat, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) send_heartbeat();
  });
}

void AuthorityService::drain() {
  for (auto& output : core_.take_outputs()) {
    if (auto const* change = std::get_if<StatusChange>(&output)) {
      feed_.send_change(*change);
      if (change->kind == ChangeKind::member_revoked && change->member) {
        // Time for it to hear of its own revocation; nothing else is said to it.
        loop_.after(std::chrono::milliseconds(500),
                    [this, host = change->member->host, alive = std::weak_ptr<int>(alive_)] {
                      if (alive.expired()) return;
                      auto const row = core_.host(host);
                      if (!row || row->state != "revoked") return;
                      feed_.close(host);
                      core_.set_connected(host, false, read_wall_clock());
                    });
      }
    } else if (auto const* challenge = std::get_if<FeedChallenge>(&output)) {
      feed_.send_challenge(*challenge);
    } else if (auto* row = std::get_if<EventRow>(&output)) {
      spdlog::info("{} {}: {}", row->kind, row->subject, row->text);
      journal_.add(std::move(*row), loop_.now());
    }
  }
  schedule_tick();
}

void AuthorityService::schedule_tick() {
  if (tick_timer_) loop_.cancel(*tick_timer_);
  // At least once a second, so that a wall clock that is set does not stop us.
  Duration wait = core_.next_deadline().unix_ms == std::numeric_limits<std::int64_t>::max()
                      ? Duration(std::chrono::seconds(1))
                      : core_.next_deadline() - read_wall_clock();
  wait = std::clamp<Duration>(wait, std::chrono::milliseconds(1), std::chrono::seconds(1));
  tick_timer_ = loop_.after(wait, [this] {
    tick_timer_.reset();
    core_.tick(read_wall_clock());
    drain();
  });
}

void AuthorityService::add_route(HttpServer& server, std::string method, std::string pattern,
                                 Route route) {
  server.route(std::move(method), std::move(pattern),
               [this, route = std::move(route)](HttpRequest const& request,
                                                std::shared_ptr<Responder> responder) {
                 Reply reply = route(request);
                 drain();
                 responder->send(reply ? HttpResponse{200, "application/json", std::move(*reply)}
                                       : to_response(reply.error()));
               });
}

Answer<HostName> AuthorityService::member_of(HttpRequest const& request) const {
  if (!request.peer_certificate) {
    return refuse(Errc::denied, "a membership certificate is needed");
  }
  return core_.authenticate(*request.peer_certificate, read_wall_clock());
}

void AuthorityService::follow_feed(HttpRequest const& request,
                                   std::shared_ptr<Responder> const& responder) {
  auto const host = member_of(request);
  if (!host) return responder->send(to_response(host.error()));
  Revision const from(query_number(request, "from"));
  if (from > core_.revision()) {
    return responder->send(to_response(
        refuse(Errc::conflict, "that revision does not exist here: the store lost changes")
            .value()));
  }
  auto const ok =
      feed_.open(*host, responder->stream(), from, core_.revision(), [this, host = *host] {
        core_.set_connected(host, false, read_wall_clock());
        drain();
      });
  if (!ok) {
    spdlog::warn("feed of {}: {}", host->value(), ok.error().describe());
    return;
  }
  if (core_.healthy()) feed_.send_heartbeat(*host, next_heartbeat());
  core_.set_connected(*host, true, read_wall_clock());
  drain();
}

void AuthorityService::follow_events(HttpRequest const& request,
                                     std::shared_ptr<Responder> const& responder) {
  std::uint64_t const after = query_number(request, "after");
  if (request.query.contains("json")) {
    return responder->send({200, "application/json", encode_json(journal_.after(after))});
  }
  journal_.watch(responder->stream(), after);
}

}  // namespace shamon
