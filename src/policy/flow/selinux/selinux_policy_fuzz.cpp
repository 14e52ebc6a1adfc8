// Any bytes: refused with a reason, or a policy from which a graph can be built and asked.
#include "base/assert.hpp"
#include "policy/flow/selinux/type_graph.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  static auto const map = PermissionMap::parse(
      "2\nclass file 3\nread r 10\nwrite w 10\ngetattr r 1\nclass process 1\nsigchld b 5\n");
  auto const policy = read_selinux_policy(ByteView(data, size));
  if (!policy) {
    SHAMON_ASSERT(!policy.error().message.empty());
    return 0;
  }
  for (auto const& rule : policy->rules) SHAMON_ASSERT(!policy->describe(rule).empty());
  // A graph grows with the square of the types; the reader alone takes all of them.
  if (policy->types.size() > 256) return 0;
  TypeGraphOptions options;
  options.booleans.emplace();
  for (auto const& boolean : policy->booleans) options.booleans->push_back(boolean.state);
  TypeGraph const graph(*policy, *map, options);
  if (policy->types.size() < 2) return 0;
  auto const path = graph.find_flow(0, static_cast<Node>(policy->types.size() - 1), {});
  for (std::size_t i = 1; i < path.size(); ++i) {
    SHAMON_ASSERT(!graph.rules_of(path[i - 1], path[i]).empty());
  }
  return 0;
}
