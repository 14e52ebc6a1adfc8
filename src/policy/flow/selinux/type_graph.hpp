// Which types of an SELinux policy inform which, by setools' rules: the same edges, and so the same
// answers, as its InfoFlowAnalysis.
#pragma once

#include "policy/flow/selinux/permission_map.hpp"
#include "policy/flow/selinux/policy_file.hpp"

namespace shamon {

struct TypeGraphOptions {
  unsigned min_weight = 3;  ///< 1..10, as `seinfoflow -w`
  /// Absent: every conditional rule counts, on either branch. Present: the state of each boolean,
  /// by index.
  std::optional<std::vector<bool>> booleans;
};

class TypeGraph {
 public:
  /// An allow rule informs its targets of its sources by its heaviest write permission, and the
  /// other way by its heaviest read permission; attributes stand for their types. An edge is kept
  /// if a rule reaches `min_weight`; and, where booleans are given, if a rule of any weight is
  /// enabled, which need not be the same one: that is how setools has it.
  /// References must outlive the graph.
  TypeGraph(SelinuxPolicy const& policy, PermissionMap const& map, TypeGraphOptions options);

  FlowGraph const& graph() const noexcept { return graph_; }
  /// A shortest path between two types that passes none of `exclude`; empty: there is none.
  std::vector<Node> find_flow(Node from, Node to, std::vector<Node> const& exclude) const;
  /// The rules behind an edge, whatever their weight (and enabled, where booleans are given), the
  /// heaviest first: what `seinfoflow --full` lists.
  std::vector<SelinuxRule const*> rules_of(Node from, Node to) const;

 private:
  struct Weights {
    unsigned read = 0, write = 0;
  };
  Weights weights_of(SelinuxRule const& rule) const noexcept;
  bool enabled(SelinuxRule const& rule) const noexcept;
  bool stands_for(std::uint16_t type_or_attribute, Node type) const noexcept;
  template <class Counts>
  BitMatrix collect(unsigned min_weight, Counts counts) const;

  SelinuxPolicy const& policy_;
  TypeGraphOptions options_;
  /// [class][bit of an access vector]
  std::vector<std::vector<PermissionWeights>> weights_;
  std::vector<bool> condition_values_;
  FlowGraph graph_;
};

}  // namespace shamon
