// Why two VMs of this machine may or may not share memory and events: pure, from what the host
// monitor knows.
#pragma once

#include "coalition/messages/operator.hpp"
#include "policy/decide.hpp"

namespace shamon {

struct ShareQuestion {
  struct Party {
    std::string name;
    std::string state;  ///< empty: this machine has no such VM
    std::string kind;
    LabelName label;
  };
  Party owner, user;
  bool gate_connected = false;
};

/// "allowed" only if every premise holds; each that does not has a remedy.
Explanation explain_share(ShareQuestion const& question, CompiledPolicy const& policy);

}  // namespace shamon
