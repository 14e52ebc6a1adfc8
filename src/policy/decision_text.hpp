// Operations and reasons in words, as audit records and people have them.
#pragma once

#include "policy/decide.hpp"

namespace shamon {

char const* to_string(Operation operation) noexcept;
char const* to_string(Reason reason) noexcept;

}  // namespace shamon
