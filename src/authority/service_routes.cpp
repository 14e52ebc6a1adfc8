// Which request leads to which question to the core.
#include <fmt/format.h>
#include <unistd.h>

#include "authority/service.hpp"
#include "base/clock.hpp"

namespace shamon {
namespace {

using Reply = Answer<std::string>;

template <class Message>
Reply to_reply(Answer<Message> const& answer) {
  if (!answer) return refuse(answer.error());
  return encode_json(*answer);
}
Reply to_reply(Answer<Revision> const& answer) {
  if (!answer) return refuse(answer.error());
  return fmt::format("{{\"revision\":{}}}", answer->value());
}

/// Decodes the body and passes it on.
template <class Request, class Handle>
Reply with_body(HttpRequest const& http, Handle&& handle) {
  auto const request = decode_json<Request>(http.body);
  if (!request) return refuse(request.error(), "request");
  return to_reply(handle(*request));
}

std::string parameter(HttpRequest const& request, char const* name) {
  auto const found = request.parameters.find(name);
  return found == request.parameters.end() ? std::string() : found->second;
}

/// The name a member gives must be that of its certificate.
Answer<bool> check_speaker(Answer<HostName> const& member, HostName const& claimed) {
  if (!member) return refuse(member.error());
  if (*member != claimed) {
    return refuse(Errc::denied,
                  fmt::format("{} cannot speak for {}", member->value(), claimed.value()));
  }
  return true;
}

}  // namespace

void AuthorityService::add_machine_routes(HttpServer& server) {
  add_route(server, "POST", "/v1/register", [this](HttpRequest const& http) {
    return with_body<RegisterRequest>(
        http, [&](auto const& r) { return core_.register_host(r, read_wall_clock()); });
  });
  add_route(server, "POST", "/v1/activate", [this](HttpRequest const& http) {
    return with_body<ActivateRequest>(
        http, [&](auto const& r) { return core_.activate(r, read_wall_clock()); });
  });
  add_route(server, "POST", "/v1/challenge", [this](HttpRequest const& http) {
    return with_body<ChallengeRequest>(
        http, [&](auto const& r) { return core_.challenge(r, read_wall_clock()); });
  });
  add_route(server, "POST", "/v1/join", [this](HttpRequest const& http) {
    return with_body<JoinRequest>(http,
                                  [&](auto const& r) { return core_.join(r, read_wall_clock()); });
  });
  server.route("GET", "/livez", [](HttpRequest const&, std::shared_ptr<Responder> responder) {
    responder->send({200, "text/plain", "ok\n"});
  });
}

void AuthorityService::add_member_routes(HttpServer& server) {
  server.route("GET", "/v1/feed",
               [this](HttpRequest const& http, auto responder) { follow_feed(http, responder); });
  add_route(server, "POST", "/v1/evidence", [this](HttpRequest const& http) {
    return with_body<EvidenceRequest>(http, [&](auto const& r) -> Answer<EvidenceAccepted> {
      if (auto ok = check_speaker(member_of(http), r.host); !ok) return refuse(ok.error());
      return core_.evidence(r, read_wall_clock());
    });
  });
  add_route(server, "POST", "/v1/acknowledge", [this](HttpRequest const& http) {
    return with_body<Acknowledgement>(http, [&](auto const& r) -> Answer<Revision> {
      if (auto ok = check_speaker(member_of(http), r.host); !ok) return refuse(ok.error());
      return core_.acknowledge(r, read_wall_clock());
    });
  });
  add_route(server, "POST", "/v1/vms", [this](HttpRequest const& http) {
    return with_body<VmReport>(http, [&](auto const& r) -> Answer<Revision> {
      if (auto ok = check_speaker(member_of(http), r.host); !ok) return refuse(ok.error());
      return core_.report_vm(r, read_wall_clock());
    });
  });
  add_route(server, "POST", "/v1/failures", [this](HttpRequest const& http) {
    return with_body<FailureReport>(http, [&](auto const& r) -> Answer<Revision> {
      if (auto ok = check_speaker(member_of(http), r.reporter); !ok) return refuse(ok.error());
      return core_.report_failure(r, read_wall_clock());
    });
  });
}

void AuthorityService::add_read_routes(HttpServer& server) {
  add_route(server, "GET", "/v1/status",
            [this](HttpRequest const&) -> Reply { return encode_json(core_.status()); });
  add_route(server, "GET", "/v1/hosts",
            [this](HttpRequest const&) -> Reply { return encode_json(core_.hosts()); });
  add_route(server, "GET", "/v1/hosts/{name}", [this](HttpRequest const& http) {
    return to_reply(core_.host(HostName(parameter(http, "name"))));
  });
  add_route(server, "GET", "/v1/vms",
            [this](HttpRequest const&) -> Reply { return encode_json(core_.vms()); });
  add_route(server, "GET", "/v1/policy",
            [this](HttpRequest const&) -> Reply { return encode_json(core_.policy()); });
  add_route(server, "GET", "/v1/reference-values", [this](HttpRequest const&) -> Reply {
    return encode_json(ReferenceValueList{core_.reference_values()});
  });
  add_route(server, "GET", "/v1/explain/host/{name}", [this](HttpRequest const& http) -> Reply {
    return encode_json(core_.explain_host(HostName(parameter(http, "name"))));
  });
  add_route(server, "GET", "/v1/explain/vm/{name}", [this](HttpRequest const& http) -> Reply {
    return encode_json(core_.explain_vm(VmName(parameter(http, "name"))));
  });
  server.route("GET", "/v1/proof/host/{name}", [this](HttpRequest const& http, auto responder) {
    auto const proof = core_.trust().prove_member(HostName(parameter(http, "name")));
    responder->send(
        proof
            ? HttpResponse{200, "text/plain", encode_proof(*proof)}
            : HttpResponse{404, "application/json",
                           encode_json(Refusal{
                               std::string(to_string(Errc::not_found)), "there is no proof", {}})});
  });
  server.route("GET", "/v1/events",
               [this](HttpRequest const& http, auto responder) { follow_events(http, responder); });
  server.route("GET", "/metrics", [this](HttpRequest const&, auto responder) {
    responder->send({200, "text/plain; version=0.0.4", metrics()});
  });
  server.route("GET", "/livez", [](HttpRequest const&, auto responder) {
    responder->send({200, "text/plain", "ok\n"});
  });
  server.route("GET", "/readyz", [this](HttpRequest const&, auto responder) {
    bool const ready = core_.healthy() && core_.policy().revision != Revision{};
    responder->send({ready ? 200 : 503, "text/plain", ready ? "ready\n" : "not ready\n"});
  });
}

void AuthorityService::add_admin_routes(HttpServer& server) {
  // The socket's mode keeps others out already; this holds even if somebody changes it.
  auto const add = [&](char const* method, char const* pattern, Route route) {
    add_route(server, method, pattern, [route](HttpRequest const& http) -> Reply {
      bool const trusted =
          http.local_peer && (http.local_peer->uid == 0 || http.local_peer->uid == ::geteuid());
      if (!trusted)
        return refuse(Errc::denied, "only root and the authority's own user may do that");
      return route(http);
    });
  };
  add("POST", "/v1/hosts/{name}/revoke", [this](HttpRequest const& http) {
    return with_body<RevokeRequest>(http, [&](auto const& r) {
      return core_.revoke_host(HostName(parameter(http, "name")), r.reason, read_wall_clock());
    });
  });
  add("POST", "/v1/hosts/{name}/reinstate", [this](HttpRequest const& http) {
    return to_reply(core_.reinstate_host(HostName(parameter(http, "name")), read_wall_clock()));
  });
  add("POST", "/v1/vms/{name}/revoke", [this](HttpRequest const& http) {
    return with_body<RevokeRequest>(http, [&](auto const& r) {
      return core_.revoke_vm(VmName(parameter(http, "name")), r.reason, read_wall_clock());
    });
  });
  add("PUT", "/v1/policy", [this](HttpRequest const& http) {
    return with_body<PolicyMessage>(
        http, [&](auto const& r) { return core_.set_policy(r, read_wall_clock()); });
  });
  add("PUT", "/v1/reference-values", [this](HttpRequest const& http) {
    auto const mode = http.query.find("mode");
    bool const replace = mode != http.query.end() && mode->second == "replace";
    return with_body<ReferenceValueList>(http, [&](auto const& r) {
      return core_.set_reference_values(r.reference_values, replace, read_wall_clock());
    });
  });
}

/// Prometheus text format 0.0.4. Nothing in it grows with the number of VMs or machines.
std::string AuthorityService::metrics() const {
  AuthorityStatus const status = core_.status();
  std::string out;
  auto const gauge = [&](char const* name, auto value) {
    out += fmt::format("# TYPE {} gauge\n{} {}\n", name, name, value);
  };
  out += "# TYPE shamon_attestations_total counter\n";
  for (auto const& [key, count] : core_.appraisals()) {
    out += fmt::format("shamon_attestations_total{{result=\"{}\",reason=\"{}\"}} {}\n", key.first,
                       key.second, count);
  }
  double oldest = 0;
  for (auto const& row : core_.hosts().hosts) {
    if (row.state != "active" || !row.last_attested) continue;
    auto const age_ms = read_wall_clock().unix_ms - row.last_attested->unix_ms;
    oldest = std::max(oldest, static_cast<double>(age_ms) / 1000);
  }
  gauge("shamon_attestation_age_seconds", oldest);
  gauge("shamon_members_active", status.members_active);
  gauge("shamon_members_connected", status.members_connected);
  gauge("shamon_members_revoked", status.members_revoked);
  gauge("shamon_members_unacknowledged", status.unacknowledged.size());
  gauge("shamon_vms_running", status.vms_running);
  gauge("shamon_revision", status.revision.value());
  gauge("shamon_policy_revision", status.policy_revision.value());
  if (auto const last = core_.last_propagation()) {
    gauge("shamon_revocation_propagation_seconds", static_cast<double>(last->count()) / 1e9);
  }
  return out;
}

}  // namespace shamon
