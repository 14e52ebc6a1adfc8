// What names mean: every name defined once, every use of a known name, every bound kept.
#pragma once

#include "policy/document.hpp"
#include "policy/language/diagnostics.hpp"
#include "policy/rules.hpp"

namespace shamon {

/// Adds a diagnostic for everything wrong in `document`, and to `notes` what is right but may not
/// be meant. The rules are complete only if no diagnostic was added.
PolicyRules check(PolicyDocument const& document, Diagnostics& diagnostics, Diagnostics& notes);

}  // namespace shamon
