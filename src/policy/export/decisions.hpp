// What decide() answers about every two labels of a policy, for the exports: they are written from
// its answers and never from the statements, so that they say what the monitor does.
#pragma once

#include <string>
#include <vector>

#include "policy/source.hpp"

namespace shamon {

/// About information, memory, events and devices: from the first label to the second.
struct PairAnswers {
  bool every_service = false;         ///< flow, whatever the service
  std::vector<std::string> services;  ///< of a flow limited to some: "tcp/443", in policy order
  bool memory = false;
  bool events = false;
  bool device = false;        ///< the second label is the device's
  bool start_beside = false;  ///< the first may start where the second runs
  bool any_flow() const { return every_service || !services.empty(); }
};

struct LabelAnswers {
  LabelName name;
  std::string type;  ///< selinux_type of the name
  bool guard = false;
  bool associate = false;
  std::vector<PairAnswers> to;  ///< by label
};

/// By label, in the policy's order.
std::vector<LabelAnswers> ask_all(PolicyBuild const& build);

}  // namespace shamon
