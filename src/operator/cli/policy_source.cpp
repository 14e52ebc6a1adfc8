#include "operator/cli/policy_source.hpp"

#include <cstdio>

#include "coalition/messages/operator.hpp"
#include "operator/cli/api.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"

namespace shamon {
std::optional<PolicyBuild> load_policy_in_force(std::string const& authority, int& exit_code) {
  auto const socket = find_authority_socket(authority);
  if (!socket) {
    exit_code = report(socket.error());
    return std::nullopt;
  }
  ApiClient client(*socket);
  auto const body = client.get("/v1/policy");
  auto const message = body ? decode_json<PolicyMessage>(*body) : pass(body);
  if (!message) {
    exit_code = report(message.error());
    return std::nullopt;
  }
  auto build = build_policy(message->name, message->text);
  if (build) return std::move(*build);
  for (auto const& diagnostic : build.error()) {
    std::fprintf(stderr, "%s\n", diagnostic.describe().c_str());
  }
  exit_code = kExitInternal;
  return std::nullopt;
}

std::string place_of(StatementOrigin const& origin) {
  return origin.file + ":" + std::to_string(origin.line);
}

}  // namespace shamon
