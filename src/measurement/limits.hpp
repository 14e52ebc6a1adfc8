// Bounds of what a verifier reads from an attester. A log past them is refused before it is
// replayed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon {

inline constexpr std::size_t kEventLogBytesMax = 16u << 20;  ///< real ones are 2–60 KiB
inline constexpr std::size_t kBootEventsMax = 65'536;
inline constexpr std::size_t kBootEventBytesMax = 4u << 20;  ///< a dbx variable is about 16 KiB
inline constexpr std::size_t kEventLogBanksMax = 16;  ///< HASH_COUNT of TPM 2.0 Part 2 §10.3.1
inline constexpr std::size_t kImaLogBytesMax = 512u << 20;
inline constexpr std::size_t kImaEntriesMax = 2'000'000;
inline constexpr std::size_t kImaTemplateNameBytesMax = 255;  ///< kernel: MAX_TEMPLATE_NAME_LEN
inline constexpr std::size_t kImaTemplateBytesMax = 1u << 20;
/// How many entries an IMA log may hold beyond what a quote covers: it is read after the quote, and
/// the machine goes on working between the two.
inline constexpr std::size_t kImaEntriesAfterQuoteMax = 16'384;
inline constexpr std::size_t kQuoteBytesMax = 4096;       ///< TPM2B_ATTEST is at most 2.3 KiB
inline constexpr std::size_t kPcrSelectionsMax = 16;      ///< HASH_COUNT
inline constexpr std::size_t kQualifyingBytesMax = 64;    ///< largest digest: TPM2B_DATA here
inline constexpr std::size_t kRsaBytesMax = 1024;         ///< RSA-8192
inline constexpr std::size_t kEcCoordinateBytesMax = 66;  ///< P-521, refused later by name

}  // namespace shamon
