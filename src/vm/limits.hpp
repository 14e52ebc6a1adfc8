// Every bound of the VM drivers.
#pragma once

#include <chrono>
#include <cstddef>

namespace shamon {

inline constexpr unsigned kVmMemoryMbMin = 96;  ///< less and Debian's kernel does not start
inline constexpr unsigned kVmMemoryMbMax = 65'536;
inline constexpr unsigned kVmProcessorsMax = 16;
inline constexpr unsigned kVmQueuesMax = 16;               ///< as many workers as a gate may have
inline constexpr std::size_t kCommandLineBytesMax = 1500;  ///< the kernel's own bound is 2048
inline constexpr std::size_t kStateFolderBytesMax = 80;    ///< sun_path is 108: room for our names
inline constexpr std::size_t kChannelSlots = 4;  ///< devices of channels that a guest has room for
inline constexpr std::size_t kQmpLineBytesMax = 64u << 10;
inline constexpr std::size_t kLogTailBytes = 400;  ///< of a failed process, in the error
inline constexpr int kPortSocketBytes = 1 << 20;   ///< socket buffer of a network port
inline constexpr std::chrono::milliseconds kSetupTimeout{30'000};  ///< swtpm_setup; 0.6 s when idle
inline constexpr std::chrono::milliseconds kSocketTimeout{10'000};  ///< swtpm listens
inline constexpr std::chrono::milliseconds kQmpTimeout{10'000};     ///< QEMU answers
inline constexpr std::chrono::milliseconds kQuitTimeout{2'000};     ///< QEMU ends by itself

}  // namespace shamon
