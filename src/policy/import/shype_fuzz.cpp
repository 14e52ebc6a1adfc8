// Any bytes as one sHype file, or as two if they hold a zero: refused with places, or text that
// means something to our own parser and is canonical but for its comments.
#include "base/assert.hpp"
#include "policy/import/limits.hpp"
#include "policy/import/shype.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  if (size > 65536) return 0;
  std::string const bytes(as_text(ByteView(data, size)));
  std::size_t const zero = bytes.find('\0');
  std::vector<XmlFile> files = {{"a.xml", bytes.substr(0, zero)}};
  if (zero != std::string::npos) files.push_back({"b.xml", bytes.substr(zero + 1)});
  auto const imported = import_shype(files);
  if (!imported) {
    SHAMON_ASSERT(!imported.error().empty());
    for (auto const& diagnostic : imported.error()) {
      SHAMON_ASSERT(diagnostic.line > 0 && diagnostic.column > 0 && !diagnostic.message.empty());
      // A policy that was written out and then refused would be our mistake.
      SHAMON_ASSERT(diagnostic.file == "a.xml" || diagnostic.file == "b.xml");
    }
    return 0;
  }
  auto const build = build_policy("imported", imported->text);
  SHAMON_ASSERT(build.has_value());
  SHAMON_ASSERT(build->compiled.label_count() == imported->vm_labels + imported->resource_labels);
  auto const formatted = format_policy("imported", imported->text);
  SHAMON_ASSERT(formatted && *formatted == imported->text);
  return 0;
}
