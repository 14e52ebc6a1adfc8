// A label: what a VM's attested code earns it, and what the monitor decides by.
#pragma once

#include "base/ids.hpp"
#include "label/levels.hpp"
#include "label/types.hpp"

namespace shamon {

struct Label {
  LabelName name;
  TypeSet share;       ///< STE types
  TypeSet wall;        ///< Chinese Wall types; the STE types unless the policy says otherwise
  Levels levels;       ///< kept for flow analysis; not yet part of the decision
  bool guard = false;  ///< trusted to sit between labels that must not talk directly
};

}  // namespace shamon
