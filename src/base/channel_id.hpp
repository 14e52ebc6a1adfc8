// The name of a channel: memory and events that two VMs of one machine share.
#pragma once

#include <cstdint>

#include "base/strong.hpp"

namespace shamon {

using ChannelId = Strong<struct ChannelIdTag, std::uint32_t>;  ///< of one machine; 0 names none

}  // namespace shamon
