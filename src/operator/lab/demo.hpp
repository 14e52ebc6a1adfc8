// `shamon lab up FILE --demo`: eight scenes that show a coalition living and defending itself.
#pragma once

#include "operator/lab/laboratory.hpp"

namespace shamon {

/// Runs the scenes on a laboratory that is up and tells what happens. False: some scene did not
/// show what it must.
bool run_demo(Laboratory& lab);

}  // namespace shamon
