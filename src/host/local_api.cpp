#include "host/local_api.hpp"

#include <charconv>
#include <cstdlib>
#include <optional>

#include <unistd.h>

namespace shamon {
namespace {

constexpr std::size_t kAuditRowsMax = 10'000;

void refuse(Responder& responder, int status, Error const& error) {
  responder.send({status, "application/json",
                  encode_json(Refusal{std::string(to_string(error.code)), error.message, {}})});
}

std::string query_or(HttpRequest const& request, std::string const& key, std::string fallback) {
  auto const found = request.query.find(key);
  return found == request.query.end() ? fallback : found->second;
}

int http_status_of(Errc code) {
  switch (code) {
    case Errc::not_found: return 404;
    case Errc::denied: return 403;
    case Errc::conflict: return 409;
    case Errc::malformed:
    case Errc::truncated:
    case Errc::too_large:
    case Errc::unsupported:
    case Errc::invalid: return 400;
    case Errc::untrusted: return 422;
    case Errc::stale: return 410;
    case Errc::unreachable:
    case Errc::timeout:
    case Errc::system:
    case Errc::crypto:
    case Errc::tpm:
    case Errc::internal: return 500;
  }
  return 500;
}

bool is_administrator(HttpRequest const& request) {
  return request.local_peer &&
         (request.local_peer->uid == 0 || request.local_peer->uid == ::getuid());
}
Error const kNotYours{Errc::denied, "only root and the daemon's user may do this", {}};

std::optional<ChannelId> parse_channel(std::string const& text) {
  std::uint32_t number = 0;
  char const* const end = text.data() + text.size();
  auto const [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end || number == 0) return std::nullopt;
  return ChannelId(number);
}

}  // namespace

LocalApi::LocalApi(EventLoop& loop, Journal& journal, LocalApiSource source)
    : journal_(journal), source_(std::move(source)), reading_(loop), admin_(loop) {
  add_reading_routes(reading_);
  add_reading_routes(admin_);
  add_channel_routes();
  admin_.route("POST", "/v1/vms/{vm}/{action}", [this](HttpRequest const& request, auto responder) {
    if (!is_administrator(request)) return refuse(*responder, 403, kNotYours);
    auto done =
        source_.vm_action(VmName(request.parameters.at("vm")), request.parameters.at("action"));
    if (!done) return refuse(*responder, http_status_of(done.error().code), done.error());
    responder->send({200, "application/json", "{}"});
  });
}

void LocalApi::add_channel_routes() {
  admin_.route("POST", "/v1/channels", [this](HttpRequest const& request, auto responder) {
    if (!is_administrator(request)) return refuse(*responder, 403, kNotYours);
    auto asked = decode_json<ShareRequest>(request.body);
    if (!asked) return refuse(*responder, 400, asked.error());
    source_.open_channel(*asked, [responder](Result<ChannelRow> opened) {
      if (!opened) {
        return refuse(*responder, http_status_of(opened.error().code), opened.error());
      }
      responder->send({200, "application/json", encode_json(*opened)});
    });
  });
  admin_.route("POST", "/v1/channels/{id}/close",
               [this](HttpRequest const& request, auto responder) {
                 if (!is_administrator(request)) return refuse(*responder, 403, kNotYours);
                 auto const id = parse_channel(request.parameters.at("id"));
                 if (!id)
                   return refuse(*responder, 400, {Errc::invalid, "not a channel's number", {}});
                 auto const closed = source_.close_channel(*id);
                 if (!closed) {
                   return refuse(*responder, http_status_of(closed.error().code), closed.error());
                 }
                 responder->send({200, "application/json", "{}"});
               });
}

void LocalApi::add_reading_routes(HttpServer& server) {
  server.route("GET", "/v1/host", [this](HttpRequest const&, auto responder) {
    responder->send({200, "application/json", encode_json(source_.status())});
  });
  server.route("GET", "/v1/events", [this](HttpRequest const& request, auto responder) {
    if (request.query.contains("json")) {
      return responder->send({200, "application/json", encode_json(journal_.events())});
    }
    std::string const after = query_or(request, "after", "0");
    journal_.follow(responder->stream(), std::strtoull(after.c_str(), nullptr, 10));
  });
  server.route("GET", "/v1/audit", [this](HttpRequest const& request, auto responder) {
    std::string const limit = query_or(request, "limit", "20");
    std::size_t const rows = std::strtoull(limit.c_str(), nullptr, 10);
    if (rows == 0 || rows > kAuditRowsMax) {
      return refuse(*responder, 400, {Errc::invalid, "limit must be from 1 to 10000", {}});
    }
    bool const denied = query_or(request, "denied", "0") == "1";
    responder->send({200, "application/json", encode_json(journal_.audits(denied, rows))});
  });
  server.route("GET", "/v1/audit/stream", [this](HttpRequest const& request, auto responder) {
    std::string const after = query_or(request, "after", "0");
    journal_.follow_audit(responder->stream(), std::strtoull(after.c_str(), nullptr, 10),
                          query_or(request, "denied", "0") == "1");
  });
  server.route("GET", "/v1/audit/writer", [this](HttpRequest const&, auto responder) {
    responder->send({200, "application/json", encode_json(journal_.log().writer())});
  });
  // For whoever keeps key and heads where this machine's administrator cannot change them.
  server.route("GET", "/v1/audit/key", [this](HttpRequest const&, auto responder) {
    responder->send({200, "application/x-pem-file", journal_.log().public_key_pem()});
  });
  server.route("GET", "/v1/audit/head", [this](HttpRequest const&, auto responder) {
    std::string const& head = journal_.log().last_head();
    if (head.empty())
      return refuse(*responder, 404, {Errc::not_found, "no head is signed yet", {}});
    responder->send({200, "application/json", head + "\n"});
  });
  server.route("GET", "/v1/explain/flow", [this](HttpRequest const& request, auto responder) {
    std::string const from = query_or(request, "from", "");
    std::string const to = query_or(request, "to", "");
    if (!is_valid_name(from) || !is_valid_name(to)) {
      return refuse(*responder, 400, {Errc::invalid, "say ?from=VM&to=VM[&service=tcp/443]", {}});
    }
    responder->send(
        {200, "application/json",
         encode_json(source_.explain_flow(from, to, query_or(request, "service", "")))});
  });
  server.route("GET", "/v1/channels", [this](HttpRequest const&, auto responder) {
    responder->send({200, "application/json", encode_json(source_.channels())});
  });
  server.route("GET", "/v1/explain/share", [this](HttpRequest const& request, auto responder) {
    std::string const owner = query_or(request, "owner", "");
    std::string const user = query_or(request, "user", "");
    if (!is_valid_name(owner) || !is_valid_name(user)) {
      return refuse(*responder, 400, {Errc::invalid, "say ?owner=VM&user=VM", {}});
    }
    responder->send({200, "application/json", encode_json(source_.explain_share(owner, user))});
  });
  server.route("GET", "/livez", [](HttpRequest const&, auto responder) {
    responder->send({200, "text/plain", "ok\n"});
  });
  server.route("GET", "/readyz", [this](HttpRequest const&, auto responder) {
    HostStatus const status = source_.status();
    bool const ready = status.state == "active" && status.gate_connected;
    responder->send({ready ? 200 : 503, "text/plain", status.state + "\n"});
  });
}

Status LocalApi::listen(std::string const& socket_folder) {
  auto admin = admin_.listen_unix(socket_folder + "/shamond-admin.sock", 0600);
  if (!admin) return admin;
  return reading_.listen_unix(socket_folder + "/shamond.sock", 0666);
}

}  // namespace shamon
