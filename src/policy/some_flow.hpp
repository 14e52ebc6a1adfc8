// May one label reach another at all? For those who ask before there is a packet.
#pragma once

#include "policy/decide.hpp"

namespace shamon {

/// decide() for a flow over every service, then over each service that some `allow` for the pair
/// begins with: allowed if there is one. Otherwise the denial of the first question.
Decision decide_some_flow(LabelId subject, LabelId object, CompiledPolicy const& policy) noexcept;

}  // namespace shamon
