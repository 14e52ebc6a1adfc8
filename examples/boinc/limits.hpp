// Every bound of the example project server.
#pragma once

#include <cstddef>
#include <cstdint>

namespace boinc_example {

inline constexpr std::size_t kHttpHeadBytesMax = 16u << 10;  ///< request line and headers
inline constexpr std::size_t kHttpBodyBytesMax = 1u << 20;   ///< a scheduler request is ~10 KB
inline constexpr std::size_t kConnectionsMax = 64;
inline constexpr int kConnectionIdleMs = 20'000;
inline constexpr std::size_t kOutputBytesMax = 4096;     ///< an uploaded result
inline constexpr std::size_t kJobsInProgressMax = 5;     ///< per client
inline constexpr std::size_t kJobsRememberedMax = 4096;  ///< older ones are forgotten
inline constexpr std::size_t kReportsPerRequestMax = 64;
/// Numbers a job looks at. Trial division makes that ~3 s of work in an emulated guest.
inline constexpr std::uint64_t kNumbersPerJob = 300'000;
inline constexpr std::uint64_t kFirstNumber = 10'000'000;

}  // namespace boinc_example
