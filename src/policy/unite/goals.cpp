#include "policy/flow/goals.hpp"

#include <algorithm>
#include <optional>

#include "policy/unite/judge.hpp"

namespace shamon {
namespace {

/// The question whose answer opens a step.
Question question_of(FlowWay const& way, LabelName from, LabelName to, Revision revision) {
  Question out{Operation::flow, std::move(from), std::move(to), {}, {}, revision};
  switch (way.kind) {
    case FlowWay::Kind::common_type: break;
    case FlowWay::Kind::allow:
      out.service = {way.service.protocol, way.service.port_low, 0};
      if (way.reply && way.service.port_low != 0) {
        out.service = {way.service.protocol, 0, way.service.port_low};
      }
      break;
    case FlowWay::Kind::memory: out.operation = Operation::share_memory; break;
    case FlowWay::Kind::event: out.operation = Operation::bind_event; break;
    case FlowWay::Kind::device: out.operation = Operation::assign_device; break;
  }
  return out;
}

class Goals {
 public:
  Goals(Parts const& parts, Vocabulary const& vocabulary, SharedPolicy const& united,
        std::vector<Cited> const& statements, Conflicts& conflicts)
      : parts_(parts),
        names_(vocabulary),
        united_(united),
        statements_(statements),
        conflicts_(conflicts),
        graph_(united->compiled, *united->document),
        reversed_(graph_.graph().reversed()) {}

  void run() {
    for (auto const& part : parts_.all) {
      for (auto const& goal : part.document().goals) {
        if (conflicts_.full()) return;
        if (auto const broken = find_break(part, goal)) report(part, goal, *broken);
      }
    }
  }

 private:
  Node node(Part const& part, std::string const& label) const {
    // Each label of a part is in the union, and so in its graph.
    return node_of(names_.class_of(part.group, label));
  }
  Node node_of(ClassId id) const {
    // Not by graph_.find(): a label may be called "internet" if no goal names it.
    return united_->compiled.find_label(LabelName(names_.name(id)))->value();
  }

  /// INVARIANT(outside-is-foreign): to a coalition's goal, "internet" is every label of the union
  /// that is none of that coalition's.
  std::vector<Node> foreign(Part const& part, NodeSet const& among) const {
    std::vector<Node> out;
    for (ClassId id = 0; id < names_.class_count(); ++id) {
      auto const& members = names_.members(id);
      bool const ours = std::any_of(members.begin(), members.end(),
                                    [&](auto const& member) { return member.first == part.group; });
      Node const at = node_of(id);
      if (!ours && among.has(at)) out.push_back(at);
    }
    return out;
  }

  std::optional<FlowAnswer> find_break(Part const& part, GoalStatement const& goal) const {
    std::vector<Node> avoided;
    for (auto const& guard : goal.through) avoided.push_back(node(part, guard.text));
    std::vector<Node> sources, targets;
    bool const from_outside = goal.from.text == kInternet;
    bool const to_outside = goal.to.text == kInternet;
    if (from_outside && to_outside) return std::nullopt;
    if (!from_outside) sources = {node(part, goal.from.text)};
    if (!to_outside) targets = {node(part, goal.to.text)};
    // Of everything outside only what is connected at all, whatever guards stand between.
    if (from_outside) sources = foreign(part, reversed_.reachable(targets.front()));
    if (to_outside) targets = foreign(part, graph_.graph().reachable(sources.front()));
    std::optional<FlowAnswer> best;
    for (Node source : sources) {
      for (Node target : targets) {
        FlowAnswer answer = find_flow(graph_, source, target, avoided);
        if (!answer.reaches()) continue;
        if (!best || answer.path.size() < best->path.size()) best = std::move(answer);
      }
    }
    return best;
  }

  void report(Part const& part, GoalStatement const& goal, FlowAnswer const& broken) {
    Conflict found;
    found.kind = ConflictKind::goal;
    found.one = cite(goal.origin);
    found.other = map_on(broken);
    std::string path = graph_.name(broken.from);
    for (FlowEdge const* edge : broken.path) {
      FlowWay const& way = edge->ways.front();
      Answer step{"the union",
                  united_,
                  question_of(way, LabelName(graph_.name(edge->from)),
                              LabelName(graph_.name(edge->to)), united_->compiled.revision()),
                  {}};
      step.decision = ask(step.question, united_->compiled);
      path += " -> " + graph_.name(edge->to) + " (" + edge->services() + ", " + way.origin.file +
              ":" + std::to_string(way.origin.line) + ")";
      // What another policy contributes is what the goal's author does not know of.
      if (found.other.line == 0 && !part.has_file(way.origin.file)) {
        found.other = place_of(way.origin);
      }
      found.example.answers.push_back(std::move(step));
    }
    found.text = "goal '" + goal.origin.text + "' of " + part.file() +
                 (holds_alone(part, goal) ? " would be broken" : " does not hold, not even alone");
    found.example.text = path;
    conflicts_.add(std::move(found));
  }

  static bool holds_alone(Part const& part, GoalStatement const& goal) {
    LabelGraph const own(part.policy->compiled, part.document());
    std::vector<Node> avoided;
    for (auto const& guard : goal.through) avoided.push_back(*own.find(guard.text));
    return !find_flow(own, *own.find(goal.from.text), *own.find(goal.to.text), avoided).reaches();
  }

  /// With its column, which the tables do not keep.
  Cited place_of(StatementOrigin const& origin) const {
    for (auto const& cited : statements_) {
      if (cited.file == origin.file && cited.line == origin.line && cited.text == origin.text) {
        return cited;
      }
    }
    return {origin.file, origin.line, 1, origin.text};
  }

  /// The map that brought a label of the path together; line 0 if none did.
  Cited map_on(FlowAnswer const& broken) const {
    for (FlowEdge const* edge : broken.path) {
      for (Node at : {edge->from, edge->to}) {
        for (ClassId id = 0; id < names_.class_count(); ++id) {
          if (!names_.is_mapped(id) || node_of(id) != at) continue;
          MapLink const link = names_.links(id).front();
          return cite(link.map->origin);
        }
      }
    }
    return {};
  }

  Parts const& parts_;
  Vocabulary const& names_;
  SharedPolicy const& united_;
  std::vector<Cited> const& statements_;
  Conflicts& conflicts_;
  LabelGraph graph_;
  FlowGraph reversed_;
};

}  // namespace

void judge_goals(Parts const& parts, Vocabulary const& vocabulary, SharedPolicy const& united,
                 std::vector<Cited> const& statements, Conflicts& conflicts) {
  Goals(parts, vocabulary, united, statements, conflicts).run();
}

}  // namespace shamon
