#include "policy/flow/selinux/type_graph.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace shamon {
namespace {

/// Adds an edge from each of one side to each of the other. Types are the most common side, and a
/// row of bits takes a whole attribute at once.
class EdgeCollector {
 public:
  explicit EdgeCollector(SelinuxPolicy const& policy)
      : policy_(policy),
        edges_(policy.types.size()),
        sets_(policy.types.size()),
        seen_(policy.types.size()) {}

  void add(std::uint16_t from, std::uint16_t to) {
    // Many rules say the same about two attributes, for one class after another.
    if (seen_.test(from, to)) return;
    seen_.set(from, to);
    SelinuxType const& source = policy_.types[from];
    if (!source.attribute) return add_row(from, to);
    for (Node const member : source.members) add_row(member, to);
  }

  BitMatrix take() && { return std::move(edges_); }

 private:
  void add_row(Node from, std::uint16_t to) {
    SelinuxType const& target = policy_.types[to];
    if (!target.attribute) return edges_.set(from, to);
    if (target.members.size() < 16) {
      for (Node const member : target.members) edges_.set(from, member);
      return;
    }
    auto const& set = set_of(to);
    auto const row = edges_.row(from);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] |= set[i];
  }

  std::vector<std::uint64_t> const& set_of(std::uint16_t attribute) {
    auto& set = sets_[attribute];
    if (!set.empty()) return set;
    set.assign(edges_.words_per_row(), 0);
    for (Node const member : policy_.types[attribute].members) {
      set[member / 64] |= std::uint64_t{1} << (member % 64);
    }
    return set;
  }

  SelinuxPolicy const& policy_;
  BitMatrix edges_;
  std::vector<std::vector<std::uint64_t>> sets_;  ///< [attribute]; empty until needed
  BitMatrix seen_;                                ///< pairs of types or attributes already added
};

}  // namespace

TypeGraph::TypeGraph(SelinuxPolicy const& policy, PermissionMap const& map,
                     TypeGraphOptions options)
    : policy_(policy), options_(std::move(options)) {
  SHAMON_ASSERT(!options_.booleans || options_.booleans->size() == policy.booleans.size());
  for (auto const& object_class : policy.classes) {
    auto& bits = weights_.emplace_back();
    for (auto const& name : object_class.permissions)
      bits.push_back(map.find(object_class.name, name));
  }
  BitMatrix edges = collect(options_.min_weight, [](SelinuxRule const&) { return true; });
  if (options_.booleans) {
    for (auto const& condition : policy.conditions) {
      condition_values_.push_back(condition.evaluate(*options_.booleans));
    }
    BitMatrix const live = collect(1, [&](SelinuxRule const& rule) { return enabled(rule); });
    for (Node node = 0; node < edges.nodes(); ++node) {
      auto const row = edges.row(node);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] &= live.row(node)[i];
    }
  }
  graph_ = FlowGraph(edges);
}

template <class Counts>
BitMatrix TypeGraph::collect(unsigned min_weight, Counts counts) const {
  EdgeCollector collector(policy_);
  for (auto const& rule : policy_.rules) {
    if (!counts(rule)) continue;
    Weights const weights = weights_of(rule);
    if (weights.write >= min_weight) collector.add(rule.source, rule.target);
    if (weights.read >= min_weight) collector.add(rule.target, rule.source);
  }
  return std::move(collector).take();
}

TypeGraph::Weights TypeGraph::weights_of(SelinuxRule const& rule) const noexcept {
  auto const& bits = weights_[rule.object_class];
  Weights out;
  for (std::uint32_t rest = rule.permissions; rest != 0; rest &= rest - 1) {
    auto const bit = static_cast<std::size_t>(std::countr_zero(rest));
    if (bit >= bits.size()) break;
    out.read = std::max<unsigned>(out.read, bits[bit].read);
    out.write = std::max<unsigned>(out.write, bits[bit].write);
  }
  return out;
}

bool TypeGraph::enabled(SelinuxRule const& rule) const noexcept {
  if (rule.condition < 0) return true;
  return condition_values_[static_cast<std::size_t>(rule.condition)] == rule.branch;
}

bool TypeGraph::stands_for(std::uint16_t type_or_attribute, Node type) const noexcept {
  SelinuxType const& one = policy_.types[type_or_attribute];
  if (!one.attribute) return type_or_attribute == type;
  return std::binary_search(one.members.begin(), one.members.end(), type);
}

std::vector<Node> TypeGraph::find_flow(Node from, Node to, std::vector<Node> const& exclude) const {
  NodeSet avoid(graph_.node_count());
  for (Node const node : exclude) avoid.add(node);
  if (avoid.has(from) || avoid.has(to)) return {};
  return graph_.shortest_path(from, to, &avoid).value_or(std::vector<Node>{});
}

std::vector<SelinuxRule const*> TypeGraph::rules_of(Node from, Node to) const {
  std::vector<std::pair<unsigned, SelinuxRule const*>> found;
  for (auto const& rule : policy_.rules) {
    if (options_.booleans && !enabled(rule)) continue;
    bool const writes = stands_for(rule.source, from) && stands_for(rule.target, to);
    bool const reads = stands_for(rule.source, to) && stands_for(rule.target, from);
    if (!writes && !reads) continue;
    Weights const weights = weights_of(rule);
    unsigned const weight = std::max(writes ? weights.write : 0, reads ? weights.read : 0);
    if (weight > 0) found.emplace_back(weight, &rule);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](auto const& a, auto const& b) { return a.first > b.first; });
  std::vector<SelinuxRule const*> out;
  for (auto const& [weight, rule] : found) out.push_back(rule);
  return out;
}

}  // namespace shamon
