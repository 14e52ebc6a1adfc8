// What the authority pushes as policy: read and checked whole before anything changes.
#pragma once

#include "policy/source.hpp"

namespace shamon {

/// The policy of a message, or why the one in force stays. The text stands alone: it can make this
/// machine read no file. Errors: `malformed` with every mistake; `conflict` if the text names
/// another revision than its message.
Result<PolicyBuild> read_pushed_policy(std::string const& name, std::string const& text,
                                       Revision revision);

}  // namespace shamon
