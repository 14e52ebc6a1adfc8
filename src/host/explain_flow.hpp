// Why one VM may or may not talk to another, and who could change it: pure, from what the host
// monitor knows.
#pragma once

#include <optional>

#include "coalition/messages/operator.hpp"
#include "policy/decide.hpp"
#include "policy/document.hpp"

namespace shamon {

/// Everything the answer depends on. An absent VM is one the directory does not have.
struct FlowQuestion {
  std::string from_name, to_name;
  std::optional<VmEntry> from, to;
  Service service;
  std::string service_text;                    ///< as asked; empty: any
  std::string from_host_state, to_host_state;  ///< member states of the two machines
  bool same_machine = false;
  /// The cipher of the association for the sender's label, towards the other machine; empty: none
  /// is open.
  std::string association_cipher;
  std::int64_t lease_left_ms = 0;
  PolicyDocument const* document =
      nullptr;  ///< of the policy in force, to quote labels; may be null
};

/// The verdict is "allowed" only if policy allows and, across machines, both are active members and
/// the lease holds. Each line is a premise: "[yes]" or "[no]", what it says, and its source (rule
/// file:line, revision). Every premise that does not hold has a remedy: what would have to change,
/// and who may change it.
Explanation explain_flow(FlowQuestion const& question, CompiledPolicy const& policy);

}  // namespace shamon
