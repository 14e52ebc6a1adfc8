#include "policy/flow/graph.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace shamon {
namespace {

constexpr Node kNoNode = ~Node{0};

/// Breadth first from `from`; `parent[n]` is the node that found n. Stops when `target` is found.
/// Queue order is by (place of the parent in the queue, number), so that the path along parents is
/// the first in order of all shortest ones.
void search(FlowGraph const& graph, Node from, Node target, NodeSet const* avoid,
            std::vector<Node>& parent) {
  std::vector<Node> queue;
  queue.reserve(graph.node_count());
  queue.push_back(from);
  parent[from] = from;
  for (std::size_t next = 0; next < queue.size(); ++next) {
    for (Node const to : graph.successors(queue[next])) {
      if (parent[to] != kNoNode || (avoid != nullptr && avoid->has(to))) continue;
      parent[to] = queue[next];
      if (to == target) return;
      queue.push_back(to);
    }
  }
}

}  // namespace

FlowGraph::FlowGraph(BitMatrix const& matrix) {
  SHAMON_ASSERT(matrix.nodes() <= kFlowNodesMax);
  std::size_t edges = 0;
  for (Node node = 0; node < matrix.nodes(); ++node) {
    for (std::uint64_t const word : matrix.row(node)) edges += std::popcount(word);
  }
  to_.reserve(edges);
  first_.reserve(matrix.nodes() + 1);
  first_.push_back(0);
  for (Node node = 0; node < matrix.nodes(); ++node) {
    auto const row = matrix.row(node);
    for (std::size_t i = 0; i < row.size(); ++i) {
      for (std::uint64_t word = row[i]; word != 0; word &= word - 1) {
        auto const to = static_cast<Node>(i * 64 + std::countr_zero(word));
        if (to != node) to_.push_back(to);
      }
    }
    first_.push_back(static_cast<std::uint32_t>(to_.size()));
  }
}

FlowGraph FlowGraph::reversed() const {
  FlowGraph out;
  out.first_.assign(node_count() + 1, 0);
  out.to_.resize(edge_count());
  for (Node const to : to_) ++out.first_[to + 1];
  for (std::size_t i = 1; i < out.first_.size(); ++i) out.first_[i] += out.first_[i - 1];
  std::vector<std::uint32_t> next = out.first_;
  // Sources come in ascending order, so each row of the result is sorted as well.
  for (Node node = 0; node < node_count(); ++node) {
    for (Node const to : successors(node)) out.to_[next[to]++] = node;
  }
  return out;
}

std::optional<std::vector<Node>> FlowGraph::shortest_path(Node from, Node to,
                                                          NodeSet const* avoid) const {
  SHAMON_ASSERT(from < node_count() && to < node_count());
  std::vector<Node> parent(node_count(), kNoNode);
  if (from != to) search(*this, from, to, avoid, parent);
  if (from == to) return std::vector<Node>{from};
  if (parent[to] == kNoNode) return std::nullopt;
  std::vector<Node> path = {to};
  while (path.back() != from) path.push_back(parent[path.back()]);
  std::reverse(path.begin(), path.end());
  return path;
}

NodeSet FlowGraph::reachable(Node from, NodeSet const* avoid) const {
  SHAMON_ASSERT(from < node_count());
  std::vector<Node> parent(node_count(), kNoNode);
  search(*this, from, kNoNode, avoid, parent);
  NodeSet out(node_count());
  for (Node node = 0; node < node_count(); ++node) {
    if (parent[node] != kNoNode) out.add(node);
  }
  return out;
}

}  // namespace shamon
