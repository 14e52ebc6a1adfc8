// Named bounds of this folder. Sizes of messages stand in each message's kLimits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace shamon {

/// A JSON text may be this many times as long as the message's bytes_max: base64 takes 4/3,
/// escapes a little more.
inline constexpr std::uint64_t kJsonExpansionMax = 2;

/// Two machines' clocks may differ by this much before a heartbeat is not believed.
inline constexpr std::int64_t kClockSkewMax_ms = 5'000;
/// A lease or period outside these is a mistake or an attack, whoever signed it.
inline constexpr std::uint64_t kLeaseMin_ms = 100;
inline constexpr std::uint64_t kLeaseMax_ms = 600'000;

inline constexpr std::size_t kNonceBytes = 32;
inline constexpr std::size_t kNonceBytesMax = 64;  ///< TPM2B_DATA: one digest of the largest kind
inline constexpr std::size_t kProofBytesMax = 64u << 10;

}  // namespace shamon
