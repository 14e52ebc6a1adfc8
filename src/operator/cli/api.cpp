#include "operator/cli/api.hpp"

#include <cstdlib>
#include <filesystem>

#include <sys/stat.h>

#include "coalition/messages/common.hpp"
#include "coalition/messages/operator.hpp"

namespace shamon {
namespace {

Errc errc_of_status(int status) {
  switch (status) {
    case 400: return Errc::invalid;
    case 401:
    case 403: return Errc::denied;
    case 404: return Errc::not_found;
    case 409: return Errc::conflict;
    case 410: return Errc::stale;
    case 422: return Errc::untrusted;
    default: return Errc::internal;
  }
}

bool is_socket(std::string const& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

}  // namespace

ApiClient::ApiClient(std::string socket_path)
    : path_(std::move(socket_path)), client_(loop_, UnixTarget{path_}) {}

Result<std::string> ApiClient::get(std::string const& target) {
  return send("GET", target, "");
}

Result<std::string> ApiClient::send(std::string const& method, std::string const& target,
                                    std::string body) {
  auto answer =
      client_.call_and_wait({.method = method, .target = target, .body = std::move(body)});
  if (!answer) return pass(answer, "asking " + path_);
  if (answer->status / 100 == 2) return std::move(answer->body);
  last_refusal_ = answer->body;
  auto refusal = decode_json<Refusal>(answer->body);
  std::string const message =
      refusal ? refusal->message : "HTTP status " + std::to_string(answer->status);
  return fail(errc_of_status(answer->status), message);
}

Status ApiClient::follow(std::string const& target,
                         std::function<bool(ServerSentEvent const&)> on_event) {
  std::optional<Error> ended;
  bool enough = false;
  auto stream = client_.stream(
      {.target = target},
      [&](ServerSentEvent const& event) {
        if (!enough && !on_event(event)) {
          enough = true;
          loop_.stop();
        }
      },
      [&](Error error) {
        ended = std::move(error);
        loop_.stop();
      });
  if (!ended && !enough) loop_.run();
  stream.reset();
  if (ended) return tl::unexpected<Error>(*ended);
  return {};
}

std::string lab_root() {
  char const* root = std::getenv("SHAMON_LAB_ROOT");
  return root != nullptr ? root : "/var/lib/shamon-lab";
}

std::vector<std::string> labs_present() {
  std::vector<std::string> out;
  std::error_code ignored;
  for (auto const& entry : std::filesystem::directory_iterator(lab_root(), ignored)) {
    if (entry.is_directory()) out.push_back(entry.path().filename());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::string> find_authority_socket(std::string const& option) {
  if (!option.empty()) return option;
  if (char const* from_environment = std::getenv("SHAMON_AUTHORITY")) {
    return std::string(from_environment);
  }
  if (is_socket("/run/shamon/authority.sock")) return std::string("/run/shamon/authority.sock");
  for (auto const& lab : labs_present()) {
    std::string const path = lab_root() + "/" + lab + "/authority/run/authority.sock";
    if (is_socket(path)) return path;
  }
  return fail(Errc::not_found,
              "no authority found: looked for /run/shamon/authority.sock and for a laboratory in " +
                  lab_root() + "; say --authority SOCKET, or start one: shamon lab up FILE");
}

Result<std::string> find_host_socket(std::string const& option, std::string const& host) {
  if (!option.empty()) return option;
  if (is_socket("/run/shamon/shamond.sock")) return std::string("/run/shamon/shamond.sock");
  std::vector<std::string> found;
  for (auto const& lab : labs_present()) {
    std::error_code ignored;
    for (auto const& entry : std::filesystem::directory_iterator(lab_root() + "/" + lab, ignored)) {
      std::string const path = entry.path() / "run" / "shamond.sock";
      if (is_socket(path) && (host.empty() || entry.path().filename() == host)) {
        found.push_back(path);
      }
    }
  }
  std::sort(found.begin(), found.end());
  if (found.size() == 1) return found.front();
  if (!found.empty()) {
    std::string names;
    for (auto const& path : found) {
      names += (names.empty() ? "" : ", ") +
               std::filesystem::path(path).parent_path().parent_path().filename().string();
    }
    return fail(Errc::invalid,
                "the monitors of several machines are here; say --host NAME: " + names);
  }
  return fail(Errc::not_found, "no host monitor" + (host.empty() ? "" : " of '" + host + "'") +
                                   " found: looked for /run/shamon/shamond.sock and in " +
                                   lab_root() + "; say --host NAME or --socket PATH");
}

Result<std::string> find_host_of_vm(std::string const& authority_option, std::string const& vm) {
  auto const socket = find_authority_socket(authority_option);
  if (!socket) return pass(socket);
  ApiClient client(*socket);
  auto const body = client.get("/v1/vms");
  if (!body) return pass(body);
  auto const list = decode_json<VmList>(*body);
  if (!list) return pass(list);
  for (auto const& row : list->vms) {
    if (row.vm.value() == vm) return row.host.value();
  }
  return fail(Errc::not_found, "the coalition has no VM called '" + vm + "'; see: shamon vm list");
}

}  // namespace shamon
