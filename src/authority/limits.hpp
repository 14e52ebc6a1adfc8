// Every bound of authority/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace shamon {

inline constexpr std::size_t kHostsMax = 100'000;  ///< machines a coalition may register
inline constexpr std::size_t kVmsMax = 1'000'000;  ///< entries of the VM directory
inline constexpr std::size_t kReferenceValuesMax = 1'000'000;  ///< measurements known
inline constexpr std::size_t kPendingRegistrationsMax = 10'000;
inline constexpr std::size_t kPendingNoncesPerHostMax = 8;  ///< join challenges not yet answered
inline constexpr Duration kRegistrationLife = std::chrono::seconds(60);
inline constexpr Duration kNonceLife = std::chrono::seconds(60);
inline constexpr std::size_t kSecretBytes = 32;
/// Clocks of members may differ by this much from ours.
inline constexpr Duration kClockSkew = std::chrono::seconds(60);
inline constexpr Duration kMembershipLifeMax = std::chrono::hours(1);
inline constexpr std::size_t kReasonBytesMax = 1024;
inline constexpr std::size_t kClaimBytesMax = 128;        ///< platform, location
inline constexpr std::size_t kEventsKeptMax = 10'000;     ///< tail of /v1/events
inline constexpr std::size_t kChangesPerReadMax = 1000;   ///< of the store, at a time
inline constexpr std::size_t kFindingsKeptMax = 16;       ///< of a refusal
inline constexpr std::size_t kKnownDigestsShownMax = 16;  ///< of a finding

}  // namespace shamon
