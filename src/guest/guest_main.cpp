// shamon-guest: inside a VM, quotes its vTPM and sends its IMA log to the host monitor when asked,
// and lets programs of the VM ask the monitor three things.
//
//   shamon-guest [agent] [--port PATH] [--tcti TCTI] [--ima PATH] [--event-log PATH]
//                [--ak-handle N] [--socket PATH]
//   shamon-guest label | may-talk VM | attest
//   shamon-guest channel list | read | write | ring | wait …
#include <cstdio>
#include <cstdlib>

#include "guest/agent_service.hpp"
#include "guest/channel_command.hpp"
#include "guest/local_question.hpp"

namespace {

using namespace shamon;
using namespace shamon::guest;

int complain(Error const& error) {
  std::fprintf(stderr, "shamon-guest: %s\n", error.describe().c_str());
  return 1;
}

int usage() {
  std::fputs(
      "usage: shamon-guest [agent] [--port PATH] [--tcti TCTI] [--ima PATH] [--event-log PATH]\n"
      "                    [--ak-handle N] [--socket PATH]\n"
      "       shamon-guest label | may-talk VM | attest   [--socket PATH]\n",
      stderr);
  std::fputs(kChannelUsage, stderr);
  return 2;
}

bool set_option(AgentOptions& options, std::string_view name, char const* value) {
  if (name == "--port") {
    options.port = value;
  } else if (name == "--tcti") {
    options.tcti = value;
  } else if (name == "--ima") {
    options.logs.ima_log = value;
  } else if (name == "--event-log") {
    options.logs.event_log = value;
  } else if (name == "--socket") {
    options.socket = value;
  } else if (name == "--ak-handle") {
    char* end = nullptr;
    options.ak_handle = static_cast<std::uint32_t>(std::strtoul(value, &end, 0));
    return *value != '\0' && *end == '\0';
  } else {
    return false;
  }
  return true;
}

/// Exit 0 for yes, 12 for no, 1 if nobody answers.
int ask(AgentOptions const& options, std::string const& question) {
  auto const line = ask_agent(options.socket, question);
  if (!line) return complain(line.error());
  std::printf("%s\n", line->c_str());
  return line->starts_with("yes") ? 0 : 12;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "channel") {
    int const code = run_channel_command({argv + 2, argv + argc});
    return code == 2 ? usage() : code;
  }
  AgentOptions options;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    std::string_view const argument = argv[i];
    if (!argument.starts_with("--")) {
      words.emplace_back(argument);
      continue;
    }
    if (i + 1 >= argc || !set_option(options, argument, argv[i + 1])) return usage();
    ++i;
  }
  if (words.empty() || (words.size() == 1 && words[0] == "agent")) {
    return complain(run_agent(options));
  }
  if (words.size() == 1 && (words[0] == "label" || words[0] == "attest")) {
    return ask(options, words[0]);
  }
  if (words.size() == 2 && words[0] == "may-talk") return ask(options, "may-talk " + words[1]);
  return usage();
}
