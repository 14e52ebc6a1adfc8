// What names mean: every name defined once, every use of a known name, every bound kept.
#pragma once

#include "policy/document.hpp"
#include "policy/language/diagnostics.hpp"
#include "policy/rules.hpp"

namespace shamon {

/// Adds a diagnostic for everything wrong in `document`. The rules are complete only if none was
/// added.
PolicyRules check(PolicyDocument const& document, Diagnostics& diagnostics);

}  // namespace shamon
