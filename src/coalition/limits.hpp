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

/// Time-outs of the member machine.
inline constexpr Duration kRequestTimeout = std::chrono::seconds(10);
inline constexpr Duration kTpmTimeout = std::chrono::seconds(30);  ///< real TPMs take seconds a key
inline constexpr Duration kPolicyTimeout = std::chrono::seconds(30);
/// Retries: from the first doubling to the most, times 1/2…1 of jitter.
inline constexpr Duration kJoinRetryFirst = std::chrono::milliseconds(500);
inline constexpr Duration kJoinRetryMost = std::chrono::seconds(30);
inline constexpr Duration kFeedRetryFirst = std::chrono::milliseconds(100);
inline constexpr Duration kFeedRetryMost = std::chrono::seconds(5);
/// A refusal for cause is tried again at this pace: an administrator has to act first.
inline constexpr Duration kRefusedRetry = std::chrono::seconds(5);
/// A feed silent for this many leases is opened anew.
inline constexpr unsigned kFeedSilenceLeases = 2;
/// After this many statements in a row that do not verify, the member joins anew.
inline constexpr unsigned kFeedFaultsMax = 3;

/// Time-outs of the bridge machine: for the peer's next frame while negotiating, and in all.
inline constexpr Duration kBridgeFrameTimeout = std::chrono::seconds(15);
inline constexpr Duration kRekeyRetry = std::chrono::seconds(1);
inline constexpr unsigned kRekeyTriesMax = 10;
inline constexpr std::size_t kChallengedVmsMax = 256;  ///< in one challenge
/// RFC 4303 §2.1: 1…255 are reserved.
inline constexpr std::uint32_t kOfferedSpiMin = 256;
inline constexpr std::uint32_t kEspLanesMax = 16;  ///< SAs of one association each way

inline constexpr std::size_t kNonceBytesMin = 16;
inline constexpr std::size_t kNonceBytes = 32;
inline constexpr std::size_t kNonceBytesMax = 64;  ///< TPM2B_DATA: one digest of the largest kind
inline constexpr std::size_t kProofBytesMax = 64u << 10;

}  // namespace shamon
