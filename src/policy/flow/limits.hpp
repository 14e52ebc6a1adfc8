// Named bounds of flow analysis.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon {

/// Nodes of any flow graph. A bit matrix of that many is 32 MiB.
inline constexpr std::size_t kFlowNodesMax = 16384;

// What a compiled SELinux policy may hold (policy/flow/selinux/).
inline constexpr std::size_t kSelinuxPolicyBytesMax = 64u << 20;
inline constexpr std::size_t kSelinuxTypesMax = kFlowNodesMax;
inline constexpr std::size_t kSelinuxNameBytesMax = 1024;
inline constexpr std::size_t kPermissionsPerClassMax = 32;  ///< bits of an access vector
inline constexpr std::size_t kPermissionMapBytesMax = 4u << 20;
inline constexpr std::size_t kConditionOperatorsMax = 1024;

}  // namespace shamon
