#include "operator/cli/vm_verbs.hpp"

#include <cstdio>
#include <iostream>

#include "operator/cli/api.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"

namespace shamon {
namespace {

struct Options {
  std::string vm;
  std::string host;
  std::string socket;
  std::string authority;
  bool json = false;
};

/// The machine that runs the VM; the directory is asked only where the caller did not say.
Result<std::string> host_of(Options const& options) {
  if (!options.host.empty() || !options.socket.empty()) return options.host;
  auto host = find_host_of_vm(options.authority, options.vm);
  if (!host) return pass(host, "say --host NAME, because");
  return host;
}

int act(Options const& options, std::string const& action) {
  auto const host = host_of(options);
  if (!host) return report(host.error());
  auto const socket = find_host_socket(options.socket, *host);
  if (!socket) return report(socket.error());
  // Beside the reading socket stands the one that only the administrator may open.
  std::string const folder = socket->substr(0, socket->rfind('/') + 1);
  ApiClient client(options.socket.empty() ? folder + "shamond-admin.sock" : *socket);
  auto const done = client.send("POST", "/v1/vms/" + options.vm + "/" + action, "");
  if (!done) return report(done.error());
  if (options.json) {
    std::cout << json_envelope("shamon.vm." + action + "/1", *done);
  } else {
    std::printf("%s: %s done\n", options.vm.c_str(), action.c_str());
  }
  return kExitYes;
}

}  // namespace

void add_vm_verbs(CLI::App& vm_noun, int& exit_code) {
  constexpr std::pair<char const*, char const*> kActions[] = {
      {"suspend", "stop its processors; walls, ports and associations are released"},
      {"resume", "let it run again, if the policy still lets it start"},
      {"stop", "end it"}};
  for (auto const& [action, what] : kActions) {
    auto* verb = vm_noun.add_subcommand(action, what);
    auto options = std::make_shared<Options>();
    verb->add_option("vm", options->vm, "VM")->required();
    verb->add_option("--host", options->host, "the machine that runs it (else the authority says)");
    verb->add_option("--socket", options->socket, "its monitor's admin socket");
    verb->add_option("--authority", options->authority, "the authority's UNIX socket");
    verb->add_flag("--json", options->json, "one JSON object");
    verb->callback(
        [=, &exit_code, name = std::string(action)] { exit_code = act(*options, name); });
  }
}

}  // namespace shamon
