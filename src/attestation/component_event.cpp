// The data of a component event: encode and decode.
#include "attestation/appraisal.hpp"
#include "attestation/limits.hpp"
#include "base/assert.hpp"

namespace shamon {
namespace {

constexpr std::string_view kComponentPrefix = "shamon:component=";

bool is_component_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kComponentNameBytesMax) return false;
  for (char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

Bytes encode_component_event_data(std::string const& component) {
  SHAMON_ASSERT(is_component_name(component));
  Bytes data = to_bytes(kComponentPrefix);
  append(data, as_bytes(component));
  data.push_back(0);
  return data;
}

std::optional<std::string> parse_component_event_data(ByteView data) {
  std::string_view text = as_text(data);
  if (!text.starts_with(kComponentPrefix) || text.back() != '\0') return std::nullopt;
  text.remove_prefix(kComponentPrefix.size());
  text.remove_suffix(1);
  if (!is_component_name(text)) return std::nullopt;
  return std::string(text);
}

}  // namespace shamon
