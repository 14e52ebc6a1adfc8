// A directed graph that stays as it was built: adjacency in one array, searched breadth first. The
// graph of a policy's labels and that of an imported SELinux policy are both of this kind.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "policy/flow/limits.hpp"

namespace shamon {

using Node = std::uint32_t;  ///< from 0

/// A square matrix of bits, one row a node: how dense graphs are collected.
class BitMatrix {
 public:
  explicit BitMatrix(std::size_t nodes)
      : nodes_(nodes), words_((nodes + 63) / 64), bits_(nodes * words_) {}

  std::size_t nodes() const noexcept { return nodes_; }
  std::size_t words_per_row() const noexcept { return words_; }
  std::span<std::uint64_t> row(Node node) noexcept { return {&bits_[node * words_], words_}; }
  std::span<std::uint64_t const> row(Node node) const noexcept {
    return {&bits_[node * words_], words_};
  }
  void set(Node from, Node to) noexcept { row(from)[to / 64] |= std::uint64_t{1} << (to % 64); }
  void clear(Node from, Node to) noexcept {
    row(from)[to / 64] &= ~(std::uint64_t{1} << (to % 64));
  }
  bool test(Node from, Node to) const noexcept {
    return (row(from)[to / 64] >> (to % 64) & 1) != 0;
  }

 private:
  std::size_t nodes_;
  std::size_t words_;
  std::vector<std::uint64_t> bits_;
};

/// A set of nodes, as a search wants it: one byte a node.
class NodeSet {
 public:
  explicit NodeSet(std::size_t nodes) : in_(nodes, 0) {}
  void add(Node node) noexcept { in_[node] = 1; }
  bool has(Node node) const noexcept { return in_[node] != 0; }
  std::size_t nodes() const noexcept { return in_.size(); }

 private:
  std::vector<std::uint8_t> in_;
};

/// Compressed sparse rows: the successors of a node stand together, sorted.
class FlowGraph {
 public:
  FlowGraph() = default;
  /// At most kFlowNodesMax nodes. A bit on the diagonal says nothing and is left out.
  explicit FlowGraph(BitMatrix const& matrix);

  std::size_t node_count() const noexcept { return first_.empty() ? 0 : first_.size() - 1; }
  std::size_t edge_count() const noexcept { return to_.size(); }
  std::span<Node const> successors(Node node) const noexcept {
    return {to_.data() + first_[node], to_.data() + first_[node + 1]};
  }
  /// Every edge turned round: searching it forward searches this one backward.
  FlowGraph reversed() const;

  /// A shortest path from `from` to `to`, both included, that enters no node of `avoid`; `from`
  /// itself is not entered, `to` is. Of several shortest paths always the one whose nodes come
  /// first in order. nullopt: there is none. A node reaches itself in no step.
  /// Time and space are linear in nodes and edges.
  std::optional<std::vector<Node>> shortest_path(Node from, Node to,
                                                 NodeSet const* avoid = nullptr) const;
  /// All that `from` reaches under the same rule, itself included.
  NodeSet reachable(Node from, NodeSet const* avoid = nullptr) const;

 private:
  std::vector<std::uint32_t> first_;  ///< [node]: index into to_; one more than there are nodes
  std::vector<Node> to_;
};

}  // namespace shamon
