#include "policy/flow/label_graph.hpp"

#include <algorithm>
#include <map>

#include "policy/decide.hpp"

namespace shamon {
namespace {

using Kind = FlowWay::Kind;

/// Collects what decide() says about each pair of labels.
class Edges {
 public:
  Edges(CompiledPolicy const& policy, PolicyDocument const& document) : policy_(policy) {
    for (auto const& statement : document.allows) note(statement);
    labels_.resize(policy.label_count());
    for (auto const& label : document.labels) {
      auto const id = policy.find_label(LabelName(label.name.text));
      if (id) labels_[id->value()] = policy.origin(label.origin.statement);
    }
  }

  std::optional<FlowEdge> between(Node from, Node to) const {
    FlowEdge edge;
    edge.from = from;
    edge.to = to;
    Decision const any = ask(Operation::flow, edge, {});
    edge.every_service = any.allowed();
    if (any.allowed() && any.reason != Reason::allow_statement) {
      edge.ways.push_back({Kind::common_type, {}, false, false, labels_[from], labels_[to]});
    } else {
      add_allows(edge);
    }
    add_sharing(edge, Operation::share_memory, Kind::memory);
    add_sharing(edge, Operation::bind_event, Kind::event);
    // What carries a VM's own label is part of that one VM and informs nobody else.
    if (from != to) add_sharing(edge, Operation::assign_device, Kind::device);
    if (edge.ways.empty()) return std::nullopt;
    return edge;
  }

 private:
  struct Line {
    AllowStatement const* statement;
    bool reply;
  };

  void note(AllowStatement const& statement) {
    auto const from = policy_.find_label(LabelName(statement.from.text));
    auto const to = policy_.find_label(LabelName(statement.to.text));
    if (!from || !to) return;
    lines_[{from->value(), to->value()}].push_back({&statement, false});
    if (statement.two_way) lines_[{to->value(), from->value()}].push_back({&statement, true});
  }

  Decision ask(Operation operation, FlowEdge const& edge, Service service) const {
    return decide(
        {operation, LabelId(static_cast<std::uint16_t>(edge.from)),
         LabelId(static_cast<std::uint16_t>(edge.to)), service, policy_.revision(), nullptr},
        policy_);
  }

  /// A pattern passes if its least service does: decide() knows no rule finer than a pattern.
  void add_allows(FlowEdge& edge) const {
    auto const lines = lines_.find({edge.from, edge.to});
    if (lines == lines_.end()) return;
    for (Line const& line : lines->second) {
      std::vector<ServicePattern> patterns = line.statement->services;
      if (patterns.empty()) patterns.push_back({});
      for (auto const& pattern : patterns) {
        Service const least{pattern.protocol,
                            pattern.protocol == 0 ? std::uint16_t{0} : pattern.port_low};
        Decision const decision = ask(Operation::flow, edge, least);
        if (!decision.allowed()) continue;
        auto const origin = policy_.origin(line.statement->origin.statement);
        bool const two_way = line.statement->two_way;
        edge.ways.push_back({Kind::allow, pattern, two_way, line.reply, origin, {}});
      }
    }
  }

  void add_sharing(FlowEdge& edge, Operation operation, Kind kind) const {
    if (!ask(operation, edge, {}).allowed()) return;
    edge.ways.push_back({kind, {}, false, false, labels_[edge.from], labels_[edge.to]});
  }

  CompiledPolicy const& policy_;
  std::vector<StatementOrigin> labels_;  ///< where each is defined
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Line>> lines_;
};

}  // namespace

char const* to_string(FlowWay::Kind kind) noexcept {
  switch (kind) {
    case Kind::common_type: return "common type";
    case Kind::allow: return "allow";
    case Kind::memory: return "memory";
    case Kind::event: return "events";
    case Kind::device: return "devices";
  }
  return "unknown";
}

bool FlowEdge::narrow() const noexcept {
  return std::all_of(ways.begin(), ways.end(), [](FlowWay const& way) {
    return way.kind == Kind::allow || way.kind == Kind::device;
  });
}

std::string FlowEdge::services() const {
  if (every_service) return "every service";
  std::string out;
  for (auto const& way : ways) {
    std::string const one = way.kind == Kind::allow ? to_string(way.service) : to_string(way.kind);
    if ((", " + out + ", ").find(", " + one + ", ") != std::string::npos) continue;
    out += (out.empty() ? "" : ", ") + one;
  }
  return out;
}

LabelGraph::LabelGraph(CompiledPolicy const& policy, PolicyDocument const& document)
    : label_count_(policy.label_count()) {
  for (std::uint16_t id = 0; id < label_count_; ++id) {
    names_.push_back(policy.label_name(LabelId(id)).value());
  }
  names_.emplace_back(kInternet);
  guards_.assign(names_.size(), false);
  itself_.resize(names_.size());
  for (auto const& label : document.labels) {
    auto const node = find(label.name.text);
    if (node) guards_[*node] = label.guard;
  }
  Edges const source(policy, document);
  BitMatrix matrix(names_.size());
  for (Node from = 0; from < label_count_; ++from) {
    for (Node to = 0; to < label_count_; ++to) {
      auto edge = source.between(from, to);
      if (from == to) itself_[from] = std::move(edge);
      if (!edge || from == to) continue;
      matrix.set(from, to);
      edges_.push_back(std::move(*edge));
    }
  }
  graph_ = FlowGraph(matrix);
}

std::optional<Node> LabelGraph::find(std::string_view name) const {
  auto const found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<Node>(found - names_.begin());
}

FlowEdge const* LabelGraph::edge(Node from, Node to) const noexcept {
  if (from == to) return itself_[from] ? &*itself_[from] : nullptr;
  auto const key = std::pair(from, to);
  auto const found = std::lower_bound(edges_.begin(), edges_.end(), key,
                                      [](FlowEdge const& edge, auto const& wanted) {
                                        return std::pair(edge.from, edge.to) < wanted;
                                      });
  bool const there = found != edges_.end() && found->from == from && found->to == to;
  return there ? &*found : nullptr;
}

FlowEdge const* LabelGraph::beyond_interface(Node guard) const noexcept {
  for (auto const& edge : edges_) {
    if ((edge.from == guard || edge.to == guard) && !edge.narrow()) return &edge;
  }
  return nullptr;
}

}  // namespace shamon
