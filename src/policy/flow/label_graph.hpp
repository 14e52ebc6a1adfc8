// Who can inform whom under a policy: one node a label, and one for everything outside the
// coalition. Every edge is an answer of decide(), so that analysis and monitor never disagree.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/document.hpp"
#include "policy/flow/graph.hpp"
#include "policy/service.hpp"

namespace shamon {

/// One way for information to take, and the statement that opens it.
struct FlowWay {
  enum class Kind : std::uint8_t {
    common_type,  ///< STE: flows of every service
    allow,        ///< an `allow`: flows of `service`
    memory,       ///< shared memory
    event,        ///< event channels
    device,       ///< a disk or TPM that carries one label, given to a VM of the other
  };
  Kind kind{};
  /// For allow: what passes.
  ServicePattern service;
  bool two_way = false;    ///< replies from that port pass as well
  bool reply = false;      ///< this direction of a two-way `allow` was written as the other one
  StatementOrigin origin;  ///< the `allow`, or the statement of the label it starts from
  StatementOrigin other;   ///< without an `allow`: the statement of the label it leads to
};
char const* to_string(FlowWay::Kind kind) noexcept;

/// All that opens one ordered pair of labels.
struct FlowEdge {
  Node from = 0;
  Node to = 0;
  bool every_service = false;  ///< decide() allows the flow for any service
  std::vector<FlowWay> ways;   ///< flows first; never empty
  /// True if only `allow` lines and devices open it: what a guard's interface must be made of. What
  /// comes by either is handled by the guard's own code; memory and events would not be.
  bool narrow() const noexcept;
  /// "every service", "tcp/443, udp/9000", "memory": for people.
  std::string services() const;
};

/// INVARIANT(graph-is-decide): there is an edge from A to B exactly if decide() allows, for some
/// service, a flow from A to B; or shared memory, an event channel or a device between the two.
class LabelGraph {
 public:
  /// `document` must be what `policy` was compiled from.
  LabelGraph(CompiledPolicy const& policy, PolicyDocument const& document);

  FlowGraph const& graph() const noexcept { return graph_; }
  std::size_t label_count() const noexcept { return label_count_; }
  /// The node of a label, or of `internet`.
  std::optional<Node> find(std::string_view name) const;
  std::string const& name(Node node) const noexcept { return names_[node]; }
  /// Everything outside the coalition: hosts that are no members, addresses of no VM. No statement
  /// of the language opens a way there, and gates drop what has no route, so it has no edges.
  Node internet() const noexcept { return static_cast<Node>(label_count_); }
  bool is_guard(Node node) const noexcept { return guards_[node]; }
  /// In order of (from, to).
  std::vector<FlowEdge> const& edges() const noexcept { return edges_; }
  /// Null: nothing passes. From a label to itself: what two VMs of it may do, which is no edge of
  /// the graph and no step of a path.
  FlowEdge const* edge(Node from, Node to) const noexcept;
  /// The first edge of this label that is not narrow; null: its `allow` lines, and the devices it
  /// is given, are its whole interface.
  FlowEdge const* beyond_interface(Node guard) const noexcept;

 private:
  std::size_t label_count_ = 0;
  std::vector<std::string> names_;
  std::vector<bool> guards_;
  std::vector<std::optional<FlowEdge>> itself_;
  std::vector<FlowEdge> edges_;
  FlowGraph graph_;
};

}  // namespace shamon
