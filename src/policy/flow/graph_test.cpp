#include "policy/flow/graph.hpp"

#include <random>

#include <gtest/gtest.h>

namespace shamon {
namespace {

using Edges = std::vector<std::pair<Node, Node>>;

FlowGraph graph_of(std::size_t nodes, Edges const& edges) {
  BitMatrix matrix(nodes);
  for (auto const& [from, to] : edges) matrix.set(from, to);
  return FlowGraph(matrix);
}

struct PathRow {
  char const* name;
  std::size_t nodes;
  Edges edges;
  Node from, to;
  std::vector<Node> avoid;
  std::optional<std::vector<Node>> path;
};

using Path = std::vector<Node>;

TEST(FlowGraph, FindsTheShortestPathAndOfSeveralTheFirstInOrder) {
  PathRow const rows[] = {
      {"itself, without an edge", 1, {}, 0, 0, {}, Path{0}},
      {"nothing", 2, {}, 0, 1, {}, std::nullopt},
      {"one edge", 2, {{0, 1}}, 0, 1, {}, Path{0, 1}},
      {"not against its direction", 2, {{0, 1}}, 1, 0, {}, std::nullopt},
      {"a loop is no edge", 2, {{0, 0}, {1, 1}}, 0, 1, {}, std::nullopt},
      {"short cut wins", 4, {{0, 1}, {1, 2}, {2, 3}, {0, 2}}, 0, 3, {}, Path{0, 2, 3}},
      {"lowest first", 5, {{0, 3}, {0, 2}, {0, 1}, {3, 4}, {2, 4}}, 0, 4, {}, Path{0, 2, 4}},
      {"lowest first, decided early",
       6,
       {{0, 1}, {0, 2}, {1, 4}, {2, 3}, {3, 5}, {4, 5}},
       0,
       5,
       {},
       Path{0, 1, 4, 5}},
      {"round what is avoided",
       5,
       {{0, 1}, {1, 4}, {0, 2}, {2, 3}, {3, 4}},
       0,
       4,
       {1},
       Path{0, 2, 3, 4}},
      {"the end may not be avoided", 2, {{0, 1}}, 0, 1, {1}, std::nullopt},
      {"the start is not entered", 2, {{0, 1}}, 0, 1, {0}, Path{0, 1}},
      {"a circle ends", 4, {{0, 1}, {1, 2}, {2, 0}}, 0, 3, {}, std::nullopt},
  };
  for (auto const& row : rows) {
    FlowGraph const graph = graph_of(row.nodes, row.edges);
    NodeSet avoid(row.nodes);
    for (Node const node : row.avoid) avoid.add(node);
    EXPECT_EQ(graph.shortest_path(row.from, row.to, &avoid), row.path) << row.name;
  }
}

TEST(FlowGraph, KeepsEdgesAcrossWordsOfARow) {
  Edges edges;
  for (Node const to : {0, 62, 63, 64, 65, 127, 128, 199}) edges.emplace_back(7, to);
  FlowGraph const graph = graph_of(200, edges);
  EXPECT_EQ(graph.edge_count(), edges.size());
  auto const successors = graph.successors(7);
  ASSERT_EQ(successors.size(), edges.size());
  for (std::size_t i = 0; i < edges.size(); ++i) EXPECT_EQ(successors[i], edges[i].second);
  EXPECT_TRUE(graph.successors(8).empty());
}

/// Against Floyd and Warshall's algorithm, which shares no line with breadth-first search.
TEST(FlowGraph, AgreesWithDistancesComputedAnotherWay) {
  std::mt19937 random(20221101);
  for (int round = 0; round < 200; ++round) {
    std::size_t const n = 1 + random() % 24;
    Edges edges;
    for (std::size_t i = random() % (2 * n + 1); i > 0; --i) {
      edges.emplace_back(random() % n, random() % n);
    }
    FlowGraph const graph = graph_of(n, edges);
    FlowGraph const back = graph.reversed();
    std::size_t const far = n + 1;
    std::vector<std::vector<std::size_t>> distance(n, std::vector<std::size_t>(n, far));
    for (std::size_t i = 0; i < n; ++i) distance[i][i] = 0;
    for (auto const& [from, to] : edges) {
      if (from != to) distance[from][to] = 1;
    }
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          distance[i][j] = std::min(distance[i][j], distance[i][k] + distance[k][j]);
        }
      }
    }
    for (Node i = 0; i < n; ++i) {
      NodeSet const reached = graph.reachable(i);
      for (Node j = 0; j < n; ++j) {
        auto const path = graph.shortest_path(i, j);
        ASSERT_EQ(path ? path->size() - 1 : far, std::min(distance[i][j], far)) << round;
        ASSERT_EQ(reached.has(j), path.has_value()) << round;
        auto const reverse = back.shortest_path(j, i);
        ASSERT_EQ(reverse ? reverse->size() : 0, path ? path->size() : 0) << round;
        for (std::size_t s = 1; path && s < path->size(); ++s) {
          ASSERT_EQ(distance[(*path)[s - 1]][(*path)[s]], 1u) << "not an edge, round " << round;
        }
      }
    }
  }
}

}  // namespace
}  // namespace shamon
