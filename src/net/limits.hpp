// Every bound of net/ that is not a ServerLimits member.
#pragma once

#include <cstddef>

#include "base/time.hpp"

namespace shamon {

inline constexpr int kEventsPerWait = 64;
inline constexpr int kAcceptsPerWakeup = 64;  ///< so that a flood of connects starves nobody
inline constexpr int kListenBacklog = 1024;
inline constexpr std::size_t kReadBytes = 64u << 10;   ///< of one read(2)
inline constexpr std::size_t kUnixPathBytesMax = 107;  ///< sockaddr_un less the final zero
inline constexpr std::size_t kClientHeaderBytesMax = 64u << 10;
inline constexpr std::size_t kClientBodyBytesMax = 64u << 20;
inline constexpr std::size_t kClientQueueMax = 4096;     ///< calls waiting for one connection
inline constexpr std::size_t kEventBytesMax = 4u << 20;  ///< one server-sent event
inline constexpr std::size_t kQueryParametersMax = 64;
inline constexpr std::size_t kFrameBacklogBytesMax = 32u << 20;  ///< unsent frames of a connection
/// How long a closed socket is drained so that our last words are not lost to a reset.
inline constexpr Duration kLingerMax = std::chrono::seconds(2);
inline constexpr std::size_t kLingeringMax = 256;
inline constexpr Duration kFrameHandshakeMax = std::chrono::seconds(10);
/// Handshakes one known address may begin, or all strangers together: at once, then each second,
/// and at a time. One costs about half a millisecond of processor time.
inline constexpr int kHandshakesBurst = 128;
inline constexpr int kHandshakesPerSecond = 64;
inline constexpr unsigned kHandshakesRunningMax = 64;
inline constexpr std::size_t kHandshakeAccountsSwept = 1024;  ///< then idle ones are forgotten
inline constexpr Duration kAcceptPause = std::chrono::milliseconds(100);  ///< out of descriptors

}  // namespace shamon
