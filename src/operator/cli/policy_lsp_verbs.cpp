#include "operator/cli/policy_lsp_verbs.hpp"

#include <array>
#include <cerrno>
#include <cstdio>

#include <unistd.h>

#include "operator/cli/exit_code.hpp"
#include "operator/cli/policy_file.hpp"
#include "operator/lsp/frames.hpp"
#include "operator/lsp/server.hpp"

namespace shamon {
namespace {

bool write_message(std::string const& body) {
  std::string const bytes = lsp::frame(body);
  bool const written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
  return written && std::fflush(stdout) == 0;
}

/// Until `exit`, or until the editor is gone.
int serve() {
  lsp::Server server(policy_file_reader());
  lsp::FrameReader frames;
  std::array<char, 65536> buffer;
  while (true) {
    ssize_t const got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return kExitInternal;
    frames.feed({buffer.data(), static_cast<std::size_t>(got)});
    while (auto const message = frames.next()) {
      auto const answers = message->mistake.empty()
                               ? server.handle(message->body)
                               : std::vector{lsp::Server::mistake(message->mistake)};
      for (auto const& answer : answers) {
        if (!write_message(answer)) return kExitInternal;
      }
      if (server.exited()) return server.exit_code();
    }
    if (frames.lost()) return kExitInternal;
  }
}

}  // namespace

void add_policy_lsp_verbs(CLI::App& policy_noun, int& exit_code) {
  auto* verb = policy_noun.add_subcommand(
      "lsp", "language server for editors, on standard input and output (LSP 3.17)");
  verb->add_flag_function(
      "--stdio", [](std::int64_t) {}, "said by some editors; there is no other way");
  verb->callback([&exit_code] { exit_code = serve(); });
}

}  // namespace shamon
