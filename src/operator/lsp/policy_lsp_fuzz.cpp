// Any bytes on the language server's standard input: answered or ignored, never a crash, and what
// it answers is JSON.
#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "operator/lsp/frames.hpp"
#include "operator/lsp/server.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  if (size > 16384) return 0;
  lsp::Server server(
      [](std::string const&) -> Result<std::string> { return std::string("type included_t\n"); });
  lsp::FrameReader frames;
  std::string_view input = as_text(ByteView(data, size));
  while (!input.empty() && !frames.lost() && !server.exited()) {
    // Pieces as a pipe might cut them: what is understood must not depend on it.
    std::string_view const piece = input.substr(0, 1 + input.size() % 97);
    input.remove_prefix(piece.size());
    frames.feed(piece);
    while (auto const frame = frames.next()) {
      if (!frame->mistake.empty()) continue;
      for (auto const& answer : server.handle(frame->body)) {
        auto const json = nlohmann::json::parse(answer, nullptr, false);
        SHAMON_ASSERT(json.is_object() && json.contains("jsonrpc"));
      }
    }
  }
  return 0;
}
