// The label graph as a picture: Graphviz text, or SVG laid out here.
#pragma once

#include <string>

#include "policy/flow/goals.hpp"

namespace shamon {

/// Labels as boxes, guards as hexagons, `internet` where a goal names it. One line between two
/// labels where the same passes both ways. Edges on the path of a violated goal are red and thick.
/// The same graph gives the same bytes.
std::string draw_dot(LabelGraph const& graph, std::vector<GoalVerdict> const& goals,
                     std::string const& title);

/// Labels stand on a circle in the order of the policy; goals are listed below.
std::string draw_svg(LabelGraph const& graph, std::vector<GoalVerdict> const& goals,
                     std::string const& title);

}  // namespace shamon
