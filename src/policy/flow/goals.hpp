// Promises about paths: a goal holds, or here is the shortest path that breaks it.
#pragma once

#include "policy/flow/label_graph.hpp"

namespace shamon {

/// Whether information can get from one label to another, over any number of labels between.
struct FlowAnswer {
  Node from = 0;
  Node to = 0;
  /// One edge a step, in order; empty: there is no path.
  std::vector<FlowEdge const*> path;
  /// Guards that were named and yet do not count, with the edge that goes round their interface.
  struct OpenGuard {
    Node guard = 0;
    FlowEdge const* edge = nullptr;
  };
  std::vector<OpenGuard> open_guards;
  bool reaches() const noexcept { return !path.empty(); }
};

/// The shortest path from A to B that passes none of `avoided`, guards or other labels.
/// INVARIANT(guard-interface): a guard stops a path only if its `allow` lines and its devices are
/// all that opens it; one whose memory another label could read passes information without being
/// asked, so paths through it count. One of them may be A or B: then every path passes it, and
/// there is none to find. The answer points into `graph`.
FlowAnswer find_flow(LabelGraph const& graph, Node from, Node to, std::vector<Node> const& avoided);

struct GoalVerdict {
  GoalStatement const* goal = nullptr;
  StatementOrigin origin;
  FlowAnswer answer;
  /// Names `internet`, which no statement can reach: it holds whatever the policy says.
  bool about_internet = false;
  bool holds() const noexcept { return !answer.reaches(); }
};

/// Every goal, in the order of the text. Points into `graph` and `document`.
std::vector<GoalVerdict> check_goals(LabelGraph const& graph, CompiledPolicy const& policy,
                                     PolicyDocument const& document);

}  // namespace shamon
