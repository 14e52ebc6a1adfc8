// How paths and goals are told, to people and to programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "policy/flow/goals.hpp"

namespace shamon {

/// One line a statement, indented by two: "green -> results  udp/9000  x.policy:9  allow …".
std::string describe_path(LabelGraph const& graph, FlowAnswer const& answer);
/// One line for each guard that was named and does not count.
std::string describe_open_guards(LabelGraph const& graph, FlowAnswer const& answer);

nlohmann::json to_json(StatementOrigin const& origin);
/// [{"from":…,"to":…,"services":…,"ways":[{"kind":…,"service":…,"reply":…,"rule":{…}}]}]
nlohmann::json path_json(LabelGraph const& graph, FlowAnswer const& answer);
nlohmann::json open_guards_json(LabelGraph const& graph, FlowAnswer const& answer);
nlohmann::json to_json(LabelGraph const& graph, GoalVerdict const& verdict);
/// "holds", "violated" or "holds: …", one line, then the path.
std::string describe_goal(LabelGraph const& graph, GoalVerdict const& verdict);

}  // namespace shamon
