#include "policy/language/level_words.hpp"

#include <iterator>
#include <span>

namespace shamon {
namespace {

std::optional<Level> find(std::span<const std::string_view> names, std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return Level{static_cast<std::uint8_t>(i), 0};
  }
  return std::nullopt;
}

std::string_view name_of(std::span<const std::string_view> names, Level level) noexcept {
  return level.rank < names.size() ? names[level.rank] : std::string_view();
}

}  // namespace

std::optional<Level> find_secrecy(std::string_view name) noexcept {
  return find(kSecrecyNames, name);
}
std::optional<Level> find_integrity(std::string_view name) noexcept {
  return find(kIntegrityNames, name);
}
std::string_view secrecy_name(Level level) noexcept {
  return name_of(kSecrecyNames, level);
}
std::string_view integrity_name(Level level) noexcept {
  return name_of(kIntegrityNames, level);
}

}  // namespace shamon
