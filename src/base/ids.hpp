// The names of things. Each is its own type, so that a VM is never passed for a host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/strong.hpp"

namespace shamon {

using HostName = Strong<struct HostNameTag, std::string>;            ///< machine; [a-z0-9.-]{1,63}
using VmName = Strong<struct VmNameTag, std::string>;                ///< unique in its coalition
using CoalitionName = Strong<struct CoalitionNameTag, std::string>;  ///< one common policy
using LabelName = Strong<struct LabelNameTag, std::string>;          ///< as policy spells it

/// Index of a label in a compiled policy; only meaningful together with its revision.
using LabelId = Strong<struct LabelIdTag, std::uint16_t>;
/// Strictly increasing per coalition; 0 means "none yet".
using Revision = Strong<struct RevisionTag, std::uint64_t>;
using PortId = Strong<struct PortIdTag, std::uint32_t>;                ///< of one gate
using AssociationId = Strong<struct AssociationIdTag, std::uint32_t>;  ///< of one gate
using Spi = Strong<struct SpiTag, std::uint32_t>;                      ///< RFC 4303 §2.1; > 255
using PcrIndex = Strong<struct PcrIndexTag, std::uint8_t>;             ///< 0..23

/// True if the text may name a machine, VM, label or coalition: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}.
bool is_valid_name(std::string_view text) noexcept;

}  // namespace shamon
