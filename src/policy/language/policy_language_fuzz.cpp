// Any text: refused with diagnostics, or a policy whose canonical form means the same.
#include "base/assert.hpp"
#include "policy/source.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  if (size > 16384) return 0;
  std::string_view const text = as_text(ByteView(data, size));
  auto const formatted = format_policy("fuzz", text);
  auto const build = build_policy("fuzz", text);
  if (!build) {
    SHAMON_ASSERT(!build.error().empty());
    for (auto const& diagnostic : build.error()) {
      SHAMON_ASSERT(diagnostic.line > 0 && diagnostic.column > 0);
    }
  }
  SHAMON_ASSERT(formatted || !build);
  if (!formatted) return 0;
  auto const again = format_policy("fuzz", *formatted);
  SHAMON_ASSERT(again && *again == *formatted);
  auto const rebuild = build_policy("fuzz", *formatted);
  SHAMON_ASSERT(rebuild.has_value() == build.has_value());
  if (!build) return 0;
  SHAMON_ASSERT(rebuild->compiled.label_count() == build->compiled.label_count());
  auto const from_image = CompiledPolicy::from_image(build->compiled.image());
  SHAMON_ASSERT(from_image && from_image->image() == build->compiled.image());
  return 0;
}
