#include "operator/lsp/hover.hpp"

#include <algorithm>
#include <set>

#include "operator/lsp/limits.hpp"
#include "policy/decide.hpp"
#include "policy/service.hpp"

namespace shamon::lsp {
namespace {

std::string code(std::string const& text) {
  return "`" + text + "`";
}

bool contains(std::vector<Name> const& names, std::string const& wanted) {
  return std::any_of(names.begin(), names.end(),
                     [&](Name const& name) { return name.text == wanted; });
}

/// "a, b, c" — not more of them than a hover can show.
class List {
 public:
  void add(std::string const& item) {
    if (++count_ <= kListedLabelsMax) text_ += (text_.empty() ? "" : ", ") + item;
  }
  std::string text() const {
    if (count_ == 0) return "nobody";
    if (count_ <= kListedLabelsMax) return text_;
    return text_ + " and " + std::to_string(count_ - kListedLabelsMax) + " more";
  }
  bool empty() const { return count_ == 0; }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

class LabelHover {
 public:
  LabelHover(PolicyDocument const& document, CompiledPolicy const& policy)
      : document_(document), policy_(policy) {}

  std::string reach(std::string const& name) const {
    auto const self = policy_.find_label(LabelName(name));
    if (!self) return "";
    List to;
    List from;
    for (std::uint16_t i = 0; i < policy_.label_count(); ++i) {
      LabelId const other(i);
      std::string const other_name = code(policy_.label_name(other).value());
      if (auto const over = services(*self, other)) to.add(other_name + *over);
      if (auto const over = services(other, *self)) from.add(other_name + *over);
    }
    return "may send to: " + to.text() + "\n\nmay receive from: " + from.text();
  }

  /// Labels that a wall keeps from running beside this one.
  std::string apart(std::string const& name) const {
    auto const self = policy_.find_label(LabelName(name));
    if (!self) return "";
    List list;
    for (std::uint16_t i = 0; i < policy_.label_count(); ++i) {
      LabelSet running;
      running.set(i);
      auto const start = decide(
          {Operation::start, *self, LabelId{}, Service{}, policy_.revision(), &running}, policy_);
      if (!start.allowed()) list.add(code(policy_.label_name(LabelId(i)).value()));
    }
    return list.empty() ? "" : "never on one machine with: " + list.text();
  }

 private:
  bool allowed(LabelId from, LabelId to, Service service) const {
    return decide({Operation::flow, from, to, service, policy_.revision(), nullptr}, policy_)
        .allowed();
  }

  /// " (tcp/443 udp/9000)", "" for every service, nothing for none.
  std::optional<std::string> services(LabelId from, LabelId to) const {
    if (allowed(from, to, {})) return "";
    std::set<std::string> found;
    std::string const a = policy_.label_name(from).value();
    std::string const b = policy_.label_name(to).value();
    for (auto const& allow : document_.allows) {
      bool const this_pair = (allow.from.text == a && allow.to.text == b) ||
                             (allow.two_way && allow.from.text == b && allow.to.text == a);
      if (!this_pair) continue;
      for (auto const& service : allow.services) {
        if (allowed(from, to, {service.protocol, service.port_low})) {
          found.insert(to_string(service));
        }
      }
    }
    if (found.empty()) return std::nullopt;
    std::string text;
    for (auto const& service : found) text += (text.empty() ? " (" : " ") + service;
    return text + ")";
  }

  PolicyDocument const& document_;
  CompiledPolicy const& policy_;
};

std::string statement(Origin const& origin) {
  return "```shamon-policy\n" + origin.text + "\n```\n";
}

std::string label_text(std::string const& name, PolicyDocument const& document,
                       CompiledPolicy const* compiled) {
  for (auto const& label : document.labels) {
    if (label.name.text != name) continue;
    std::string text = statement(label.origin);
    if (compiled == nullptr) return text + "\nwhat it may reach is unknown: the policy has errors";
    LabelHover const hover(document, *compiled);
    text += "\n" + hover.reach(name);
    auto const apart = hover.apart(name);
    return apart.empty() ? text : text + "\n\n" + apart;
  }
  return "label " + code(name) + " is not defined";
}

std::string type_text(std::string const& name, PolicyDocument const& document) {
  List shared;
  for (auto const& label : document.labels) {
    if (contains(label.share, name)) shared.add(code(label.name.text));
  }
  List walls;
  for (auto const& wall : document.walls) {
    if (contains(wall.types, name)) walls.add(code(wall.name.text));
  }
  std::string const text = "type " + code(name) + "\n\nshared by: " + shared.text();
  return walls.empty() ? text : text + "\n\nin walls: " + walls.text();
}

std::string category_text(std::string const& name, PolicyDocument const& document) {
  List secrecy;
  List integrity;
  for (auto const& label : document.labels) {
    if (contains(label.secrecy_categories, name)) secrecy.add(code(label.name.text));
    if (contains(label.integrity_categories, name)) integrity.add(code(label.name.text));
  }
  return "category " + code(name) + "\n\nsecrecy of: " + secrecy.text() +
         "\n\nintegrity of: " + integrity.text();
}

std::string wall_text(std::string const& name, PolicyDocument const& document) {
  for (auto const& wall : document.walls) {
    if (wall.name.text != name) continue;
    std::string text = statement(wall.origin);
    for (auto const& type : wall.types) {
      List labels;
      for (auto const& label : document.labels) {
        if (contains(label.wall.value_or(label.share), type.text))
          labels.add(code(label.name.text));
      }
      text += "\n" + code(type.text) + ": " + labels.text() + "\n";
    }
    return text;
  }
  return "wall " + code(name) + " is not defined";
}

}  // namespace

std::string hover_text(NameUse const& use, PolicyDocument const& document,
                       CompiledPolicy const* compiled) {
  switch (use.kind) {
    case NameKind::label: return label_text(use.name, document, compiled);
    case NameKind::type: return type_text(use.name, document);
    case NameKind::category: return category_text(use.name, document);
    case NameKind::wall: return wall_text(use.name, document);
    case NameKind::file: return "includes " + code(use.name);
  }
  return "";
}

}  // namespace shamon::lsp
