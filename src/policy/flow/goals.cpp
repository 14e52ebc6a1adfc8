#include "policy/flow/goals.hpp"

namespace shamon {

FlowAnswer find_flow(LabelGraph const& graph, Node from, Node to,
                     std::vector<Node> const& avoided) {
  FlowAnswer answer;
  answer.from = from;
  answer.to = to;
  NodeSet avoid(graph.graph().node_count());
  for (Node const guard : avoided) {
    auto const* edge = graph.is_guard(guard) ? graph.beyond_interface(guard) : nullptr;
    if (edge != nullptr) {
      answer.open_guards.push_back({guard, edge});
    } else {
      avoid.add(guard);
    }
  }
  // The search does not enter `from`, so a guard there must be seen here.
  if (avoid.has(from) || avoid.has(to)) return answer;
  auto const nodes = graph.graph().shortest_path(from, to, &avoid);
  if (!nodes) return answer;
  for (std::size_t i = 1; i < nodes->size(); ++i) {
    answer.path.push_back(graph.edge((*nodes)[i - 1], (*nodes)[i]));
  }
  return answer;
}

std::vector<GoalVerdict> check_goals(LabelGraph const& graph, CompiledPolicy const& policy,
                                     PolicyDocument const& document) {
  std::vector<GoalVerdict> out;
  for (auto const& goal : document.goals) {
    GoalVerdict verdict;
    verdict.goal = &goal;
    verdict.origin = policy.origin(goal.origin.statement);
    auto const from = graph.find(goal.from.text);
    auto const to = graph.find(goal.to.text);
    std::vector<Node> guards;
    for (auto const& guard : goal.through) {
      if (auto const node = graph.find(guard.text)) guards.push_back(*node);
    }
    if (!from || !to) continue;  // the language refuses such a text
    verdict.about_internet = *from == graph.internet() || *to == graph.internet();
    verdict.answer = find_flow(graph, *from, *to, guards);
    out.push_back(std::move(verdict));
  }
  return out;
}

}  // namespace shamon
