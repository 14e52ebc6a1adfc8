#include "operator/cli/flow_drawing.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "operator/cli/policy_source.hpp"

namespace shamon {
namespace {

/// One line of the picture: an edge, or two that say the same.
struct Line {
  FlowEdge const* edge = nullptr;
  bool both_ways = false;
  bool beside = false;  ///< another line joins the same labels: bend apart
  bool violated = false;
  std::string text;
};

struct Picture {
  std::vector<Node> nodes;
  std::vector<Line> lines;
};

bool is_common(FlowEdge const& edge) {
  return edge.ways.front().kind == FlowWay::Kind::common_type;
}

Picture compose(LabelGraph const& graph, std::vector<GoalVerdict> const& goals) {
  Picture picture;
  for (Node node = 0; node < graph.label_count(); ++node) picture.nodes.push_back(node);
  std::set<std::pair<Node, Node>> violated;
  bool internet = false;
  for (auto const& goal : goals) {
    internet = internet || goal.about_internet;
    for (auto const* edge : goal.answer.path) violated.emplace(edge->from, edge->to);
  }
  if (internet) picture.nodes.push_back(graph.internet());
  for (auto const& edge : graph.edges()) {
    FlowEdge const* const back = graph.edge(edge.to, edge.from);
    bool const same = back != nullptr && is_common(*back) == is_common(edge) &&
                      back->services() == edge.services();
    bool const marked = violated.contains({edge.from, edge.to});
    bool const back_marked = back != nullptr && violated.contains({edge.to, edge.from});
    bool const joined = same && marked == back_marked;
    if (joined && edge.to < edge.from) continue;  // drawn with the other
    picture.lines.push_back({&edge, joined, back != nullptr && !joined, marked,
                             is_common(edge) ? "" : edge.services()});
  }
  return picture;
}

/// Why an edge is there, for whoever points at it.
std::string hint(LabelGraph const& graph, Line const& line) {
  FlowWay const& way = line.edge->ways.front();
  return graph.name(line.edge->from) + (line.both_ways ? " <-> " : " -> ") +
         graph.name(line.edge->to) + ": " + line.edge->services() + "; " + place_of(way.origin) +
         " " + way.origin.text;
}

std::string dot_quoted(std::string const& text) {
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

/// Text that may stand between tags and in attributes.
std::string escaped(std::string const& text) {
  bool const sound = is_valid_utf8(text);
  std::string out;
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !sound) ? '?' : c;
    }
  }
  return out;
}

struct Point {
  double x = 0, y = 0;
};

constexpr double kBoxHeight = 30;
constexpr double kLetterWidth = 7.7;  ///< of 13 px type, a little more than most letters take
constexpr double kMargin = 40;
constexpr double kLineHeight = 20;

double box_width(std::string const& name) {
  return std::max(56.0, kLetterWidth * static_cast<double>(name.size()) + 24);
}

class Svg {
 public:
  Svg(LabelGraph const& graph, std::vector<GoalVerdict> const& goals, std::string const& title)
      : graph_(graph), goals_(goals), title_(title), picture_(compose(graph, goals)) {
    double widest = 0;
    for (Node const node : picture_.nodes) widest = std::max(widest, box_width(graph.name(node)));
    auto const count = static_cast<double>(std::max<std::size_t>(picture_.nodes.size(), 1));
    radius_ = std::max(140.0, count * (kBoxHeight + widest) / (2.6 * std::numbers::pi) + 60);
    center_ = {kMargin + widest / 2 + radius_, 2 * kMargin + kBoxHeight + radius_};
    width_ = 2 * center_.x;
    // Goals may be longer than the circle is wide.
    for (auto const& goal : goals) {
      width_ = std::max(width_,
                        kLetterWidth * static_cast<double>(goal_text(goal).size()) + 2 * kMargin);
    }
    goals_top_ = center_.y + radius_ + kBoxHeight + kMargin;
    height_ = goals_top_ + kLineHeight * static_cast<double>(goals.size() + 1);
  }

  std::string draw() {
    head();
    for (auto const& line : picture_.lines) draw_line(line);
    for (Node const node : picture_.nodes) draw_node(node);
    double y = goals_top_;
    for (auto const& goal : goals_) {
      out_ += fmt::format("<text class=\"goal{}\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n",
                          goal.holds() ? "" : " bad", kMargin, y, escaped(goal_text(goal)));
      y += kLineHeight;
    }
    return out_ + "</svg>\n";
  }

 private:
  static std::string goal_text(GoalVerdict const& goal) {
    return (goal.holds() ? "holds: " : "violated: ") + goal.origin.text + "  (" +
           place_of(goal.origin) + ")";
  }

  void head() {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\">\n<title>{2}</title>\n",
        width_, height_, escaped(title_));
    out_ +=
        "<style>text{font:13px sans-serif;fill:#1b1b1b}.node{fill:#eef3fb;stroke:#2b4a7f;"
        "stroke-width:1.5}.guard{fill:#fff4d6;stroke:#8a6100}.outside{fill:#f2f2f2;stroke:#666;"
        "stroke-dasharray:5 4}.line{fill:none;stroke:#5a6b85;stroke-width:1.4}.common{stroke:"
        "#9aa7ba;stroke-width:3}.bad{stroke:#b3001b;stroke-width:3}.service{font-size:11px;"
        "text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}.name{text-anchor:"
        "middle}.goal.bad{fill:#b3001b;stroke:none}</style>\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
    for (auto const& [id, color] :
         {std::pair("arrow", "#5a6b85"), std::pair("arrow-common", "#9aa7ba"),
          std::pair("arrow-bad", "#b3001b")}) {
      out_ += fmt::format(
          "<marker id=\"{}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"11\" "
          "markerHeight=\"11\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\">"
          "<path d=\"M0 0L10 5L0 10z\" fill=\"{}\"/></marker>\n",
          id, color);
    }
    out_ += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" font-weight=\"bold\">{}</text>\n", kMargin,
                        kMargin - 12, escaped(title_));
  }

  Point place(Node node) const {
    auto const at = std::find(picture_.nodes.begin(), picture_.nodes.end(), node);
    auto const index = static_cast<double>(at - picture_.nodes.begin());
    auto const count = static_cast<double>(picture_.nodes.size());
    double const angle = 2 * std::numbers::pi * index / count - std::numbers::pi / 2;
    return {center_.x + radius_ * std::cos(angle), center_.y + radius_ * std::sin(angle)};
  }

  /// Where the way from the middle of a node's box towards `to` leaves the box.
  Point leave(Node node, Point to) const {
    Point const middle = place(node);
    double const dx = to.x - middle.x, dy = to.y - middle.y;
    double const half_width = box_width(graph_.name(node)) / 2 + 3,
                 half_height = kBoxHeight / 2 + 3;
    double const across = std::abs(dx) < 1e-9 ? 1e9 : half_width / std::abs(dx);
    double const along = std::abs(dy) < 1e-9 ? 1e9 : half_height / std::abs(dy);
    double const share = std::min({across, along, 1.0});
    return {middle.x + dx * share, middle.y + dy * share};
  }

  void draw_line(Line const& line) {
    Point const a = place(line.edge->from), b = place(line.edge->to);
    // Bent towards the middle of the circle, and two lines of one pair away from each other.
    Point bend{(a.x + b.x) / 2 * 0.8 + center_.x * 0.2, (a.y + b.y) / 2 * 0.8 + center_.y * 0.2};
    double const length = std::max(1.0, std::hypot(b.x - a.x, b.y - a.y));
    if (line.beside) {
      bend.x += -(b.y - a.y) / length * 46;
      bend.y += (b.x - a.x) / length * 46;
    }
    Point const start = leave(line.edge->from, bend), end = leave(line.edge->to, bend);
    bool const common = is_common(*line.edge);
    char const* const arrow = line.violated ? "arrow-bad" : common ? "arrow-common" : "arrow";
    std::string markers;
    // A common type joins both ways; where levels leave one of them, the line says which.
    bool const plain = common && line.both_ways && !line.violated;
    if (!plain) markers = fmt::format(" marker-end=\"url(#{})\"", arrow);
    if (line.both_ways && !markers.empty())
      markers += fmt::format(" marker-start=\"url(#{})\"", arrow);
    out_ += fmt::format(
        "<path class=\"line{}{}\" d=\"M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}\"{}><title>{}"
        "</title></path>\n",
        common ? " common" : "", line.violated ? " bad" : "", start.x, start.y, bend.x, bend.y,
        end.x, end.y, markers, escaped(hint(graph_, line)));
    if (line.text.empty()) return;
    Point const middle{(start.x + 2 * bend.x + end.x) / 4, (start.y + 2 * bend.y + end.y) / 4};
    out_ += fmt::format("<text class=\"service\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", middle.x,
                        middle.y + 4, escaped(line.text));
  }

  void draw_node(Node node) {
    Point const at = place(node);
    std::string const& name = graph_.name(node);
    double const half = box_width(name) / 2, tall = kBoxHeight / 2;
    if (graph_.is_guard(node)) {
      out_ += fmt::format(
          "<polygon class=\"node guard\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} "
          "{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\"/>\n",
          at.x - half, at.y, at.x - half + 10, at.y - tall, at.x + half - 10, at.y - tall,
          at.x + half, at.y, at.x + half - 10, at.y + tall, at.x - half + 10, at.y + tall);
    } else {
      out_ += fmt::format(
          "<rect class=\"node{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "rx=\"6\"/>\n",
          node == graph_.internet() ? " outside" : "", at.x - half, at.y - tall, 2 * half,
          2 * tall);
    }
    out_ += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", at.x,
                        at.y + 4.5, escaped(name));
  }

  LabelGraph const& graph_;
  std::vector<GoalVerdict> const& goals_;
  std::string const& title_;
  Picture picture_;
  double radius_ = 0, width_ = 0, height_ = 0, goals_top_ = 0;
  Point center_;
  std::string out_;
};

}  // namespace

std::string draw_dot(LabelGraph const& graph, std::vector<GoalVerdict> const& goals,
                     std::string const& title) {
  Picture const picture = compose(graph, goals);
  std::string out = "digraph " + dot_quoted(title) +
                    " {\n  rankdir=LR;\n  label=" + dot_quoted(title) +
                    ";\n  node [shape=box, style=rounded];\n";
  for (Node const node : picture.nodes) {
    out += "  " + dot_quoted(graph.name(node));
    if (graph.is_guard(node)) out += " [shape=hexagon, style=solid]";
    if (node == graph.internet()) out += " [style=dashed]";
    out += ";\n";
  }
  for (auto const& line : picture.lines) {
    std::string const text = line.text.empty() ? "common type" : line.text;
    out += "  " + dot_quoted(graph.name(line.edge->from)) + " -> " +
           dot_quoted(graph.name(line.edge->to)) + " [label=" + dot_quoted(text) +
           ", tooltip=" + dot_quoted(hint(graph, line));
    if (line.both_ways) out += ", dir=both";
    if (line.violated) out += ", color=red, penwidth=2";
    out += "];\n";
  }
  for (auto const& goal : goals) {
    out += "  // " + std::string(goal.holds() ? "holds: " : "violated: ") + goal.origin.text + "\n";
  }
  return out + "}\n";
}

std::string draw_svg(LabelGraph const& graph, std::vector<GoalVerdict> const& goals,
                     std::string const& title) {
  return Svg(graph, goals, title).draw();
}

}  // namespace shamon
