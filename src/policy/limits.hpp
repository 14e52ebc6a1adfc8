// Named bounds of this folder. What a policy may hold, and so what a decision may cost.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon {

// The decision tables. kLabelsMax is in compiled_policy.hpp, kTypesMax in label/limits.hpp.
inline constexpr std::size_t kWallsMax = 64;
inline constexpr std::size_t kAllowRulesMax = 16384;  ///< one per `allow` and service
inline constexpr std::size_t kRulesPerPairMax = 32;   ///< what one decision may have to look at
inline constexpr std::size_t kStatementsMax = 16384;
inline constexpr std::size_t kStatementBytesMax = 4096;  ///< one line of source
inline constexpr std::size_t kFileNameBytesMax = 255;
inline constexpr std::size_t kImageBytesMax = 16u << 20;

// The language.
inline constexpr std::size_t kPolicyBytesMax = 4u << 20;  ///< with all included files
inline constexpr std::size_t kIncludeDepthMax = 8;        ///< files open at once, the top included
inline constexpr std::size_t kIncludedFilesMax = 256;
inline constexpr std::size_t kRevisionNameBytesMax = 80;
inline constexpr std::size_t kDiagnosticsMax = 50;  ///< more would not be read
inline constexpr std::size_t kListItemsMax = 512;   ///< names in one pair of braces
inline constexpr std::size_t kServicesPerAllowMax = kRulesPerPairMax;
inline constexpr std::size_t kHostConditionsMax = 64;
inline constexpr std::size_t kGoalsMax = 1024;
inline constexpr std::size_t kMapsMax = 256;

}  // namespace shamon
