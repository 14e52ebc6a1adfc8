#include "policy/flow/plan.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "policy/decide.hpp"
#include "policy/flow/service_set.hpp"

namespace shamon {
namespace {

/// What passes over one edge, so that two edges can be subtracted.
struct Passing {
  ServiceSet flows;
  ServiceSet replies;  ///< packets known by their source port, of a two-way `allow`
  bool memory = false, event = false, device = false;

  explicit Passing(FlowEdge const* edge) {
    if (edge == nullptr) return;
    for (auto const& way : edge->ways) {
      switch (way.kind) {
        case FlowWay::Kind::common_type: flows.add_everything(); break;
        case FlowWay::Kind::allow:
          flows.add(way.service);
          if (way.two_way) replies.add(way.service);
          break;
        case FlowWay::Kind::memory: memory = true; break;
        case FlowWay::Kind::event: event = true; break;
        case FlowWay::Kind::device: device = true; break;
      }
    }
  }

  /// What passes here and not there.
  std::string beyond(Passing const& there) const {
    std::vector<std::string> parts;
    ServiceSet const extra = flows.without(there.flows);
    if (!extra.empty()) parts.push_back(extra.describe());
    // Whatever is in `flows` of the other side passes there from any port, replies included, only
    // if it is every service: a port range says nothing about source ports.
    ServiceSet everything;
    everything.add_everything();
    ServiceSet const from = replies.without(there.replies);
    if (!from.empty() && !(there.flows == everything) && !(flows == everything)) {
      parts.push_back("replies from " + from.describe());
    }
    if (memory && !there.memory) parts.emplace_back("memory");
    if (event && !there.event) parts.emplace_back("events");
    if (device && !there.device) parts.emplace_back("devices");
    std::string out;
    for (auto const& part : parts) out += (out.empty() ? "" : ", ") + part;
    return out;
  }
};

FlowEdge const* edge_of(LabelGraph const& graph, std::string const& from, std::string const& to) {
  auto const a = graph.find(from);
  auto const b = graph.find(to);
  return a && b ? graph.edge(*a, *b) : nullptr;
}

/// A statement as it is told, without regard to blanks.
std::string squeezed(std::string const& text) {
  std::string out;
  for (char const c : text) {
    bool const blank = c == ' ' || c == '\t';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  return out;
}

template <class Statements>
std::map<std::string, StatementOrigin> by_name(Statements const& statements,
                                               CompiledPolicy const& policy) {
  std::map<std::string, StatementOrigin> out;
  for (auto const& statement : statements) {
    out[statement.name.text] = policy.origin(statement.origin.statement);
  }
  return out;
}

void compare_names(char const* what, std::map<std::string, StatementOrigin> const& before,
                   std::map<std::string, StatementOrigin> const& after,
                   std::vector<NamedChange>& out) {
  using Kind = NamedChange::Kind;
  for (auto const& [name, origin] : before) {
    auto const now = after.find(name);
    if (now == after.end()) {
      out.push_back({Kind::removed, what, name, origin, {}});
    } else if (squeezed(origin.text) != squeezed(now->second.text)) {
      out.push_back({Kind::changed, what, name, origin, now->second});
    }
  }
  for (auto const& [name, origin] : after) {
    if (!before.contains(name)) out.push_back({Kind::added, what, name, {}, origin});
  }
}

std::set<std::string> labels_of(LabelGraph const& graph) {
  std::set<std::string> out;
  for (Node node = 0; node < graph.label_count(); ++node) out.insert(graph.name(node));
  return out;
}

/// The first statement of `edge` that lets something pass which `other` did not.
StatementOrigin origin_of_difference(FlowEdge const& edge, Passing const& other) {
  for (auto const& way : edge.ways) {
    FlowEdge alone = edge;
    alone.ways = {way};
    if (!Passing(&alone).beyond(other).empty()) return way.origin;
  }
  return edge.ways.front().origin;
}

void compare_pairs(PolicySide const& before, PolicySide const& after, PolicyPlan& plan) {
  std::set<std::pair<std::string, std::string>> pairs;
  for (auto const* side : {&before, &after}) {
    for (auto const& edge : side->graph.edges()) {
      pairs.emplace(side->graph.name(edge.from), side->graph.name(edge.to));
    }
    for (auto const& label : labels_of(side->graph)) pairs.emplace(label, label);
  }
  for (auto const& [from, to] : pairs) {
    FlowEdge const* const was = edge_of(before.graph, from, to);
    FlowEdge const* const is = edge_of(after.graph, from, to);
    Passing const before_it(was), after_it(is);
    PairChange change{from, to, after_it.beyond(before_it), before_it.beyond(after_it), {}, {}};
    if (change.gained.empty() && change.lost.empty()) continue;
    if (!change.gained.empty()) change.opened_by = origin_of_difference(*is, before_it);
    if (!change.lost.empty()) change.was_by = origin_of_difference(*was, after_it);
    plan.pairs.push_back(std::move(change));
  }
}

/// Whether the two may run on one machine; {} if one of them is unknown.
std::optional<Decision> beside(CompiledPolicy const& policy, std::string const& a,
                               std::string const& b) {
  auto const first = policy.find_label(LabelName(a));
  auto const second = policy.find_label(LabelName(b));
  if (!first || !second) return std::nullopt;
  LabelSet running;
  running.set(second->value());
  return decide({Operation::start, *first, {}, {}, policy.revision(), &running}, policy);
}

void compare_walls(PolicySide const& before, PolicySide const& after, PolicyPlan& plan) {
  auto const names = labels_of(after.graph);
  for (auto a = names.begin(); a != names.end(); ++a) {
    for (auto b = a; b != names.end(); ++b) {
      auto const was = beside(before.policy, *a, *b);
      auto const is = beside(after.policy, *a, *b);
      if (!is || !was || is->allowed() == was->allowed()) continue;
      plan.walls.push_back({*a, *b, !is->allowed(),
                            is->allowed() ? before.policy.origin(was->statement)
                                          : after.policy.origin(is->statement)});
    }
  }
}

using GoalKey = std::vector<std::string>;

std::map<GoalKey, GoalVerdict> goals_of(PolicySide const& side) {
  std::map<GoalKey, GoalVerdict> out;
  for (auto& verdict : check_goals(side.graph, side.policy, side.document)) {
    GoalKey key;
    for (auto const& guard : verdict.goal->through) key.push_back(guard.text);
    std::sort(key.begin(), key.end());
    key.insert(key.begin(), {verdict.goal->from.text, verdict.goal->to.text});
    out.emplace(std::move(key), std::move(verdict));
  }
  return out;
}

void compare_goals(PolicySide const& before, PolicySide const& after, PolicyPlan& plan) {
  using Standing = GoalChange::Standing;
  auto const was = goals_of(before);
  auto const is = goals_of(after);
  auto standing = [](auto const& goals, GoalKey const& key) {
    auto const found = goals.find(key);
    if (found == goals.end()) return Standing::absent;
    return found->second.holds() ? Standing::holds : Standing::violated;
  };
  for (auto const& [key, verdict] : is) {
    GoalChange const change{verdict.origin, standing(was, key), standing(is, key)};
    if (change.before != change.after || change.after == Standing::violated) {
      plan.goals.push_back(change);
    }
  }
  std::sort(plan.goals.begin(), plan.goals.end(), [](GoalChange const& a, GoalChange const& b) {
    return std::tie(a.origin.file, a.origin.line) < std::tie(b.origin.file, b.origin.line);
  });
  for (auto const& [key, verdict] : was) {
    if (is.contains(key)) continue;
    plan.goals.push_back({verdict.origin, standing(was, key), Standing::absent});
  }
}

}  // namespace

bool PolicyPlan::violates() const noexcept {
  return std::any_of(goals.begin(), goals.end(),
                     [](GoalChange const& goal) { return goal.becomes_violated(); });
}

PolicyPlan compare(PolicySide const& before, PolicySide const& after) {
  PolicyPlan plan;
  plan.same_coalition = before.policy.coalition() == after.policy.coalition();
  plan.newer = after.policy.revision() > before.policy.revision();
  compare_names("label", by_name(before.document.labels, before.policy),
                by_name(after.document.labels, after.policy), plan.names);
  compare_names("wall", by_name(before.document.walls, before.policy),
                by_name(after.document.walls, after.policy), plan.names);
  compare_pairs(before, after, plan);
  compare_walls(before, after, plan);
  compare_goals(before, after, plan);
  return plan;
}

}  // namespace shamon
