// Finding and asking the daemons: the authority's and the host monitors' UNIX sockets.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "net/http.hpp"

namespace shamon {

/// A daemon's API on a UNIX socket, for a program that asks and waits.
class ApiClient {
 public:
  explicit ApiClient(std::string socket_path);
  /// The body of a 2xx answer. Any other becomes an error with the refusal's message; findings are
  /// kept in `last_refusal`.
  Result<std::string> get(std::string const& target);
  Result<std::string> send(std::string const& method, std::string const& target, std::string body);
  /// Follows a stream of server-sent events until `on_event` returns false or the server ends.
  Status follow(std::string const& target, std::function<bool(ServerSentEvent const&)> on_event);
  std::string const& socket_path() const noexcept { return path_; }
  /// JSON body of the last refusal, for --json.
  std::string const& last_refusal() const noexcept { return last_refusal_; }

 private:
  std::string path_;
  EventLoop loop_;
  HttpClient client_;
  std::string last_refusal_;
};

/// Where the authority's socket is: `option` if given, SHAMON_AUTHORITY,
/// /run/shamon/authority.sock, or the one laboratory that is up. Errors: `not_found` with what was
/// looked for and what to type.
Result<std::string> find_authority_socket(std::string const& option);
/// The same for a host monitor; `host` may be empty where there is only one. Errors: `not_found`;
/// `invalid` where there are several, with their names.
Result<std::string> find_host_socket(std::string const& option, std::string const& host);
/// The machine that runs this VM, as the authority's directory has it. Errors: `not_found`.
Result<std::string> find_host_of_vm(std::string const& authority_option, std::string const& vm);
/// Folder below which laboratories keep their state: SHAMON_LAB_ROOT or /var/lib/shamon-lab.
std::string lab_root();
/// Names of the laboratories that have state there.
std::vector<std::string> labs_present();

}  // namespace shamon
