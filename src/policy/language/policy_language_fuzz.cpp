// Any text: refused with diagnostics, or a policy whose canonical form means the same. What follows
// the first zero byte is the text of every file it includes.
#include <algorithm>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "policy/limits.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

void check_diagnostics(std::vector<Diagnostic> const& diagnostics) {
  for (auto const& diagnostic : diagnostics) {
    SHAMON_ASSERT(diagnostic.line > 0 && diagnostic.column > 0);
    SHAMON_ASSERT(diagnostic.end_column >= diagnostic.column);
    SHAMON_ASSERT(diagnostic.show().find(diagnostic.message) != std::string::npos);
  }
}

void check_one_file(std::string_view text) {
  auto const formatted = format_policy("fuzz", text);
  auto const build = build_policy("fuzz", text);
  if (build) check_diagnostics(lint_policy(*build));
  SHAMON_ASSERT(build || !build.error().empty());
  if (!build) check_diagnostics(build.error());
  SHAMON_ASSERT(formatted || !build);
  if (!formatted) return;
  auto const again = format_policy("fuzz", *formatted);
  SHAMON_ASSERT(again && *again == *formatted);
  auto const rebuild = build_policy("fuzz", *formatted);
  SHAMON_ASSERT(rebuild.has_value() == build.has_value());
  if (!build) return;
  SHAMON_ASSERT(rebuild->compiled.label_count() == build->compiled.label_count());
  auto const from_image = CompiledPolicy::from_image(build->compiled.image());
  SHAMON_ASSERT(from_image && from_image->image() == build->compiled.image());
}

void check_files(std::string_view top, std::string_view included) {
  PolicyReader const reader = [&](std::string const& file) -> Result<std::string> {
    SHAMON_ASSERT(file.substr(0, 4) == "dir/" && ("/" + file + "/").find("/../") == file.npos);
    return std::string(included);
  };
  auto const build = build_policy("dir/fuzz", top, reader);
  auto const flat = flatten_policy("dir/fuzz", top, reader);
  if (!build) check_diagnostics(build.error());
  SHAMON_ASSERT(flat || !build);
  if (!flat) return;
  if (flat->size() > kPolicyBytesMax) return;
  SHAMON_ASSERT(format_policy("flat", *flat).value_or("") == *flat);
  if (!build) return;
  auto const alone = build_policy("flat", *flat);
  SHAMON_ASSERT(alone && alone->compiled.label_count() == build->compiled.label_count());
}

}  // namespace
}  // namespace shamon

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  if (size > 16384) return 0;
  std::string_view const text = as_text(ByteView(data, size));
  std::size_t const end = std::min(text.find('\0'), text.size());
  check_one_file(text.substr(0, end));
  check_files(text.substr(0, end), text.substr(std::min(end + 1, text.size())));
  return 0;
}
