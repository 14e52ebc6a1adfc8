// A label: what a VM's attested code earns it, and what the monitor decides by.
#pragma once

#include "base/ids.hpp"
#include "label/levels.hpp"
#include "label/types.hpp"

namespace shamon {

struct Label {
  LabelName name;
  TypeSet share;  ///< STE types
  TypeSet wall;   ///< Chinese Wall types; the STE types unless the policy says otherwise
  Levels levels;
  bool guard = false;  ///< trusted to stand between others: talks to them over `allow` only
};

}  // namespace shamon
