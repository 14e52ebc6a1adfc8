#include "operator/cli/flow_text.hpp"

#include "operator/cli/output.hpp"
#include "operator/cli/policy_source.hpp"

namespace shamon {
namespace {

using nlohmann::json;

/// Memory, events and devices are told only where no flow is: they need what a flow needs, too.
std::vector<FlowWay const*> ways_to_tell(FlowEdge const& edge) {
  std::vector<FlowWay const*> flows, others;
  for (auto const& way : edge.ways) {
    bool const flow = way.kind == FlowWay::Kind::allow || way.kind == FlowWay::Kind::common_type;
    (flow ? flows : others).push_back(&way);
  }
  return flows.empty() ? others : flows;
}

std::string what_passes(FlowWay const& way) {
  if (way.kind != FlowWay::Kind::allow) {
    return way.kind == FlowWay::Kind::common_type ? "every service" : to_string(way.kind);
  }
  return way.service.protocol == 0 ? "every service" : to_string(way.service);
}

std::string why(FlowWay const& way) {
  if (way.other.line == 0) return way.origin.text;
  return "common type: " + way.origin.text + "; " + place_of(way.other) + " " + way.other.text;
}

}  // namespace

std::string describe_path(LabelGraph const& graph, FlowAnswer const& answer) {
  std::vector<std::vector<std::string>> rows;
  for (auto const* edge : answer.path) {
    std::string step = graph.name(edge->from) + " -> " + graph.name(edge->to);
    for (auto const* way : ways_to_tell(*edge)) {
      rows.push_back({"  " + step, what_passes(*way), place_of(way->origin), why(*way)});
      step.clear();
    }
  }
  std::string const table = format_table({"", "", "", ""}, rows);
  return table.substr(table.find('\n') + 1);
}

std::string describe_open_guards(LabelGraph const& graph, FlowAnswer const& answer) {
  std::string out;
  for (auto const& open : answer.open_guards) {
    FlowWay const* way = ways_to_tell(*open.edge).front();
    for (auto const& other : open.edge->ways) {
      bool const narrow = other.kind == FlowWay::Kind::allow || other.kind == FlowWay::Kind::device;
      if (!narrow) way = &other;
    }
    out += "guard " + graph.name(open.guard) + " does not count: more than its allow lines opens " +
           graph.name(open.edge->from) + " -> " + graph.name(open.edge->to) + "; " +
           place_of(way->origin) + " " + why(*way) + "\n";
  }
  return out;
}

json to_json(StatementOrigin const& origin) {
  if (origin.line == 0) return nullptr;
  return {{"file", origin.file}, {"line", origin.line}, {"text", origin.text}};
}

json path_json(LabelGraph const& graph, FlowAnswer const& answer) {
  json out = json::array();
  for (auto const* edge : answer.path) {
    json ways = json::array();
    for (auto const& way : edge->ways) {
      json one = {{"kind", to_string(way.kind)},
                  {"passes", what_passes(way)},
                  {"reply", way.reply},
                  {"rule", to_json(way.origin)}};
      if (way.other.line != 0) one["other_rule"] = to_json(way.other);
      ways.push_back(std::move(one));
    }
    out.push_back({{"from", graph.name(edge->from)},
                   {"to", graph.name(edge->to)},
                   {"services", edge->services()},
                   {"ways", std::move(ways)}});
  }
  return out;
}

json open_guards_json(LabelGraph const& graph, FlowAnswer const& answer) {
  json out = json::array();
  for (auto const& open : answer.open_guards) {
    out.push_back({{"guard", graph.name(open.guard)},
                   {"from", graph.name(open.edge->from)},
                   {"to", graph.name(open.edge->to)}});
  }
  return out;
}

json to_json(LabelGraph const& graph, GoalVerdict const& verdict) {
  return {{"goal", verdict.origin.text},
          {"rule", to_json(verdict.origin)},
          {"holds", verdict.holds()},
          {"about_internet", verdict.about_internet},
          {"path", path_json(graph, verdict.answer)},
          {"open_guards", open_guards_json(graph, verdict.answer)}};
}

std::string describe_goal(LabelGraph const& graph, GoalVerdict const& verdict) {
  std::string out = verdict.holds() ? good("holds   ") : bad("violated");
  out += "  " + place_of(verdict.origin) + "  " + verdict.origin.text;
  if (verdict.about_internet) out += "  (no statement opens a way to or from the internet)";
  return out + "\n" + describe_path(graph, verdict.answer) +
         describe_open_guards(graph, verdict.answer);
}

}  // namespace shamon
