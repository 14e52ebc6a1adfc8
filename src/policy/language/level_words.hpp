// The words for levels' ranks.
#pragma once

#include <optional>
#include <string_view>

#include "label/levels.hpp"

namespace shamon {

/// The words a policy uses for ranks, lowest first.
inline constexpr std::string_view kSecrecyNames[] = {"open", "internal", "confidential", "secret"};
inline constexpr std::string_view kIntegrityNames[] = {"low", "medium", "high"};
std::optional<Level> find_secrecy(std::string_view name) noexcept;
std::optional<Level> find_integrity(std::string_view name) noexcept;
/// The word for a rank; empty if it has none.
std::string_view secrecy_name(Level level) noexcept;
std::string_view integrity_name(Level level) noexcept;

}  // namespace shamon
