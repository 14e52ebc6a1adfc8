#include "operator/cli/selinux_flow.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include "base/clock.hpp"
#include "base/time.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/input_file.hpp"
#include "operator/cli/output.hpp"
#include "policy/flow/selinux/type_graph.hpp"

namespace shamon {
namespace {

using nlohmann::json;

/// Where Debian's python3-setools keeps the map that seinfoflow uses.
constexpr char kInstalledMap[] = "/usr/lib/python3/dist-packages/setools/perm_map";
constexpr std::size_t kRulesToldMax = 3;

int complain(std::string const& text) {
  std::fputs(("shamon: " + text + "\n").c_str(), stderr);
  return kExitUsage;
}

Result<PermissionMap> load_map(std::string const& named) {
  std::string const path = named.empty() ? kInstalledMap : named;
  if (named.empty() && ::access(path.c_str(), R_OK) != 0) {
    return fail(Errc::not_found, "no permission map at " + path +
                                     "; install python3-setools, or name one with --perm-map");
  }
  auto const bytes = read_input_file(path, kPermissionMapBytesMax);
  if (!bytes) return pass(bytes);
  auto map = PermissionMap::parse(as_text(*bytes));
  if (!map) return pass(map, path);
  return map;
}

/// "default", or "a:true,b:false" over the policy's defaults; false if a word is wrong.
bool choose_booleans(std::string const& text, SelinuxPolicy const& policy,
                     std::optional<std::vector<bool>>& out) {
  if (text.empty()) return true;
  out.emplace();
  for (auto const& boolean : policy.booleans) out->push_back(boolean.state);
  if (text == "default") return true;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t const end = std::min(text.find(',', at), text.size());
    std::string const word = text.substr(at, end - at);
    at = end + 1;
    auto const colon = word.find(':');
    std::string const state = colon == std::string::npos ? "" : word.substr(colon + 1);
    std::size_t index = 0;
    while (index < policy.booleans.size() && policy.booleans[index].name != word.substr(0, colon)) {
      ++index;
    }
    if (index == policy.booleans.size() || (state != "true" && state != "false")) {
      complain("--booleans: '" + word + "' is not NAME:true or NAME:false of a boolean there is");
      return false;
    }
    (*out)[index] = state == "true";
  }
  return true;
}

json steps_json(SelinuxPolicy const& policy, TypeGraph const& graph,
                std::vector<Node> const& path) {
  json steps = json::array();
  for (std::size_t i = 1; i < path.size(); ++i) {
    json rules = json::array();
    for (auto const* rule : graph.rules_of(path[i - 1], path[i])) {
      rules.push_back(policy.describe(*rule));
    }
    steps.push_back({{"from", policy.types[path[i - 1]].name},
                     {"to", policy.types[path[i]].name},
                     {"rules", std::move(rules)}});
  }
  return steps;
}

void print_steps(SelinuxPolicy const& policy, TypeGraph const& graph,
                 std::vector<Node> const& path) {
  for (std::size_t i = 1; i < path.size(); ++i) {
    std::printf("  %s -> %s\n", policy.types[path[i - 1]].name.c_str(),
                policy.types[path[i]].name.c_str());
    auto const rules = graph.rules_of(path[i - 1], path[i]);
    for (std::size_t r = 0; r < rules.size() && r < kRulesToldMax; ++r) {
      std::printf("      %s\n", policy.describe(*rules[r]).c_str());
    }
    if (rules.size() > kRulesToldMax) {
      std::printf("      and %zu more; --json lists them\n", rules.size() - kRulesToldMax);
    }
  }
}

double milliseconds_since(Instant start) {
  return static_cast<double>((read_monotonic_clock() - start).count()) / 1e6;
}

}  // namespace

int selinux_flow(SelinuxFlowOptions const& options, std::string const& from,
                 std::string const& to) {
  auto const start = read_monotonic_clock();
  auto const map = load_map(options.permission_map);
  if (!map) return report(map.error());
  auto const bytes = read_input_file(options.policy, kSelinuxPolicyBytesMax);
  auto const policy = bytes ? read_selinux_policy(*bytes) : pass(bytes);
  if (!policy) {
    Error error = policy.error();
    error.message = options.policy + ": " + error.message;
    return report(error);
  }
  TypeGraphOptions graph_options;
  graph_options.min_weight = options.min_weight;
  if (!choose_booleans(options.booleans, *policy, graph_options.booleans)) return kExitUsage;
  std::vector<std::string> names = {from, to};
  names.insert(names.end(), options.exclude.begin(), options.exclude.end());
  std::vector<Node> nodes;
  for (auto const& name : names) {
    auto const node = policy->find_type(name);
    if (!node) return complain("'" + name + "' is not a type of " + options.policy);
    nodes.push_back(*node);
  }
  if (nodes[0] == nodes[1]) return complain("a type always reaches itself");
  double const load_ms = milliseconds_since(start);
  auto const build_start = read_monotonic_clock();
  TypeGraph const graph(*policy, *map, graph_options);
  double const build_ms = milliseconds_since(build_start);
  auto const query_start = read_monotonic_clock();
  auto const path = graph.find_flow(nodes[0], nodes[1], {nodes.begin() + 2, nodes.end()});
  double const query_ms = milliseconds_since(query_start);
  if (options.as_json) {
    auto const types = std::count_if(policy->types.begin(), policy->types.end(),
                                     [](SelinuxType const& type) { return !type.attribute; });
    json const data = {{"from", from},
                       {"to", to},
                       {"reaches", !path.empty()},
                       {"path", steps_json(*policy, graph, path)},
                       {"policy",
                        {{"version", policy->version},
                         {"types", types},
                         {"rules", policy->rules.size()},
                         {"edges", graph.graph().edge_count()}}},
                       {"ms", {{"load", load_ms}, {"build", build_ms}, {"query", query_ms}}}};
    std::fputs(json_envelope("shamon.policy.flow.selinux/1",
                             data.dump(-1, ' ', false, json::error_handler_t::replace))
                   .c_str(),
               stdout);
  } else if (path.empty()) {
    std::printf("%s ~> %s: no path\n", from.c_str(), to.c_str());
  } else {
    std::printf("%s ~> %s: a path of %zu step%s\n", from.c_str(), to.c_str(), path.size() - 1,
                path.size() == 2 ? "" : "s");
    print_steps(*policy, graph, path);
  }
  return path.empty() ? kExitYes : kExitFlowViolation;
}

}  // namespace shamon
