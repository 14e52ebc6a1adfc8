// Every bound of trust/: what a rule set, a fact base and a proof may hold.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon {

inline constexpr std::size_t kRulesBytesMax = 256u << 10;  ///< text of a rules file
inline constexpr std::size_t kRulesMax = 256;
inline constexpr std::size_t kRuleBodyMax = 12;       ///< premises of one rule
inline constexpr std::size_t kRuleVariablesMax = 16;  ///< so that one match fits a small array
inline constexpr std::size_t kStatementTermsMax = 8;
inline constexpr std::size_t kTermBytesMax = 512;

inline constexpr std::size_t kSymbolsMax = 8'000'000;
inline constexpr std::size_t kFactsMax = 8'000'000;
/// Rule instances looked at because of one change; a change past it is refused and undone.
inline constexpr std::size_t kMatchesPerChangeMax = 1'000'000;

inline constexpr std::size_t kProofTextBytesMax = 8u << 20;  ///< text of a proof
inline constexpr std::size_t kProofStepsMax = 16'384;
inline constexpr std::size_t kMissingDepthMax =
    256;  ///< how deep the search for a missing premise goes

}  // namespace shamon
